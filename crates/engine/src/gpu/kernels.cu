// Kernels of src/gpu/mod.rs.

// Four numbers a thread: position `block` of chain `first + row`.
extern "C" __global__ void normal(float* to, unsigned long long key, unsigned draw, unsigned long long first,
                                  unsigned long long rows, unsigned long long blocks, unsigned long long width) {
    unsigned long long i = (unsigned long long)blockIdx.x * blockDim.x + threadIdx.x;
    if (i >= rows * blocks) return;
    unsigned long long row = i / blocks, block = i - row * blocks;
    Counter r = philox((unsigned)block, draw, first + row, key);
    float n[4];
    normals(r.c[0], r.c[1], n, n + 1);
    normals(r.c[2], r.c[3], n + 2, n + 3);
    for (int k = 0; k < 4; k++)
        if (4 * block + k < width) to[row * width + 4 * block + k] = n[k];
}

extern "C" __global__ void blend(float* x, const float* y, float keep, float add, int square,
                                 unsigned long long count) {
    unsigned long long i = (unsigned long long)blockIdx.x * blockDim.x + threadIdx.x;
    if (i < count) x[i] = keep * x[i] + add * (square ? y[i] * y[i] : y[i]);
}

extern "C" __global__ void descend(float* w, const float* m, const float* v, float keep, float rate, float correct,
                                   float epsilon, unsigned long long count) {
    unsigned long long i = (unsigned long long)blockIdx.x * blockDim.x + threadIdx.x;
    if (i < count) w[i] = keep * w[i] - rate * m[i] / (sqrtf(v[i] * correct) + epsilon);
}
