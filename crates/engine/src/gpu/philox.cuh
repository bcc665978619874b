// Random numbers from counters, the same as src/noise.rs makes.

struct Counter { unsigned c[4]; };

// Philox4x32-10 (Salmon et al. 2011).
__device__ static inline Counter philox(unsigned position, unsigned draw, unsigned long long chain,
                                        unsigned long long key) {
    unsigned a = position, b = draw, c = (unsigned)chain, d = (unsigned)(chain >> 32);
    unsigned k0 = (unsigned)key, k1 = (unsigned)(key >> 32);
    for (int round = 0; round < 10; ++round) {
        unsigned ah = mul_high(a, 0xd2511f53u), al = a * 0xd2511f53u;
        unsigned ch = mul_high(c, 0xcd9e8d57u), cl = c * 0xcd9e8d57u;
        a = ch ^ b ^ k0;
        b = cl;
        c = ah ^ d ^ k1;
        d = al;
        k0 += 0x9e3779b9u;
        k1 += 0xbb67ae85u;
    }
    Counter out = {{a, b, c, d}};
    return out;
}

// (bits + 0.5) / 2^32, rounded once.
__device__ static inline float open_unit(unsigned bits) {
    return fmaf((float)(bits >> 16), 65536.0f, (float)(bits & 0xffffu) + 0.5f) * 2.3283064365386963e-10f;
}

// Two normals (Box and Muller 1958); next to 1 the logarithm is taken from 1 - u, which is exact there.
__device__ static inline void normals(unsigned a, unsigned b, float* first, float* second) {
    float u = open_unit(a), v = fmaxf(open_unit(~a), 5.9604645e-8f);
    float log_u = a < 0x80000000u ? logf(u) : log1pf(-v);
    float radius = sqrtf(-2.0f * log_u), turn = 2.0f * (open_unit(b) > 0.5f ? -open_unit(~b) : open_unit(b));
    *first = radius * cospif(turn);
    *second = radius * sinpif(turn);
}
