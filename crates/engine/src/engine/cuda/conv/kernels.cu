// What lies between the convolutions of a network of images. Numbers lie image by image, pixel by pixel, channels
// innermost; V of them (1 or 4) are taken at a time, so a map's channels must be a multiple of V. A row of modulations
// belongs to each image, or (each = 0) one to all; `gain` and `bias` are places in a row, below 0 for none.

template <int V> struct Numbers { float at[V]; };
template <> struct __align__(16) Numbers<4> { float at[4]; };

template <int V> __device__ static inline Numbers<V> load(const float* from, long i) {
    return reinterpret_cast<const Numbers<V>*>(from)[i];
}
template <int V> __device__ static inline void store(float* to, long i, const Numbers<V>& numbers) {
    reinterpret_cast<Numbers<V>*>(to)[i] = numbers;
}

// Kinds of activation: 0 none, 1 leaky (0 below zero for the rectifier), 2 swish.
__device__ static inline float act(int kind, float leak, float z) {
    if (kind == 2) return z / (1.0f + __expf(-z));
    if (kind == 1) return z >= 0.0f ? z : leak * z;
    return z;
}
__device__ static inline float slope(int kind, float leak, float z) {
    if (kind == 2) {
        float s = 1.0f / (1.0f + __expf(-z));
        return s + z * s * (1.0f - s);
    }
    if (kind == 1) return z >= 0.0f ? 1.0f : leak;
    return 1.0f;
}
__device__ static inline float rectify(int kind, float z) {
    return kind == 1 ? fmaxf(z, 0.0f) : act(kind, 0.0f, z);
}
__device__ static inline float rectify_slope(int kind, float z) {
    return kind == 1 ? (z > 0.0f ? 1.0f : 0.0f) : slope(kind, 0.0f, z);
}

// Which image and channels a thread's numbers are of.
template <int V> struct Place {
    long i;
    unsigned image, channel, pixel;
    bool within;
    __device__ Place(unsigned images, unsigned pixels, unsigned channels) {
        unsigned wide = channels / V;
        i = (long)blockIdx.x * blockDim.x + threadIdx.x;
        within = i < (long)images * pixels * wide;
        unsigned long rest = i / wide;
        channel = (unsigned)(i - rest * wide) * V;
        image = (unsigned)(rest / pixels);
        pixel = (unsigned)(rest - (unsigned long)image * pixels);
    }
};

struct Rows {
    const float* rows;
    int width, each;
    __device__ const float* of(unsigned image, int place, unsigned channel) const {
        return rows + (each ? (long)image * width : 0) + place + channel;
    }
};

// to = act(from) + bias: between the convolutions of a block; without an activation: before its first one.
template <int V> __device__ static inline void shift_(float* to, const float* from, Rows rows, int bias, int kind,
                                                      float leak, unsigned images, unsigned pixels, unsigned channels) {
    Place<V> at(images, pixels, channels);
    if (!at.within) return;
    Numbers<V> z = load<V>(from, at.i);
    const float* add = rows.of(at.image, bias, at.channel);
    for (int k = 0; k < V; k++) z.at[k] = act(kind, leak, z.at[k]) + add[k];
    store<V>(to, at.i, z);
}

// z = pool(gain * sums + bias + round), h = act(z), next = h + the next block's first bias: what follows the last sum
// of a stage. `z` may be `sums`, as a thread reads its numbers before it writes. Sides are those that go out.
template <int V> __device__ static inline void finish_(float* z_to, float* h_to, float* next, const float* sums,
                                                       const float* round, Rows rows, int gain, int bias, int next_bias,
                                                       int kind, float leak, int pool, unsigned images, unsigned height,
                                                       unsigned width, unsigned from_height, unsigned from_width,
                                                       unsigned channels) {
    Place<V> at(images, height * width, channels);
    if (!at.within) return;
    Numbers<V> z;
    unsigned wide = channels / V;
    if (pool) {
        unsigned y = at.pixel / width, x = at.pixel % width;
        for (int k = 0; k < V; k++) z.at[k] = 0.0f;
        for (unsigned part = 0; part < 4; part++) {
            long pixel = ((long)at.image * from_height + 2 * y + part / 2) * from_width + 2 * x + part % 2;
            long i = pixel * wide + at.channel / V;
            Numbers<V> v = load<V>(sums, i), r;
            if (round) r = load<V>(round, i);
            for (int k = 0; k < V; k++) {
                float g = gain >= 0 ? *rows.of(at.image, gain, at.channel + k) : 1.0f;
                z.at[k] += 0.25f * (g * v.at[k] + (round ? r.at[k] : 0.0f));
            }
        }
    } else {
        z = load<V>(sums, at.i);
        Numbers<V> r;
        if (round) r = load<V>(round, at.i);
        for (int k = 0; k < V; k++) {
            float g = gain >= 0 ? *rows.of(at.image, gain, at.channel + k) : 1.0f;
            z.at[k] = g * z.at[k] + (round ? r.at[k] : 0.0f);
        }
    }
    if (bias >= 0)
        for (int k = 0; k < V; k++) z.at[k] += *rows.of(at.image, bias, at.channel + k);
    store<V>(z_to, at.i, z);
    for (int k = 0; k < V; k++) z.at[k] = act(kind, leak, z.at[k]);
    store<V>(h_to, at.i, z);
    if (next) {
        for (int k = 0; k < V; k++) z.at[k] += *rows.of(at.image, next_bias, at.channel + k);
        store<V>(next, at.i, z);
    }
}

// The way down through `finish`: plain = spread(delta * act'(z)), gained = gain * plain. Sides are those that came in;
// either may be missing, and `plain` may be `delta` where nothing is spread.
template <int V> __device__ static inline void unfinish_(float* plain, float* gained, const float* delta,
                                                         const float* z, Rows rows, int gain, int kind, float leak,
                                                         int pool, unsigned images, unsigned height, unsigned width,
                                                         unsigned to_height, unsigned to_width, unsigned channels) {
    Place<V> at(images, height * width, channels);
    if (!at.within) return;
    Numbers<V> d;
    if (pool) {
        unsigned y = at.pixel / width / 2, x = at.pixel % width / 2;
        if (y < to_height && x < to_width) {
            long i = (((long)at.image * to_height + y) * to_width + x) * (channels / V) + at.channel / V;
            d = load<V>(delta, i);
            Numbers<V> s = load<V>(z, i);
            for (int k = 0; k < V; k++) d.at[k] *= 0.25f * slope(kind, leak, s.at[k]);
        } else {
            for (int k = 0; k < V; k++) d.at[k] = 0.0f;
        }
    } else {
        d = load<V>(delta, at.i);
        Numbers<V> s = load<V>(z, at.i);
        for (int k = 0; k < V; k++) d.at[k] *= slope(kind, leak, s.at[k]);
    }
    if (plain) store<V>(plain, at.i, d);
    if (gained) {
        if (gain >= 0)
            for (int k = 0; k < V; k++) d.at[k] *= *rows.of(at.image, gain, at.channel + k);
        store<V>(gained, at.i, d);
    }
}

// delta *= act'(z).
template <int V> __device__ static inline void unshift_(float* delta, const float* z, int kind, float leak,
                                                        unsigned images, unsigned pixels, unsigned channels) {
    Place<V> at(images, pixels, channels);
    if (!at.within) return;
    Numbers<V> d = load<V>(delta, at.i), s = load<V>(z, at.i);
    for (int k = 0; k < V; k++) d.at[k] *= slope(kind, leak, s.at[k]);
    store<V>(delta, at.i, d);
}

// to += from.
template <int V> __device__ static inline void add_(float* to, const float* from, unsigned images, unsigned pixels,
                                                    unsigned channels) {
    Place<V> at(images, pixels, channels);
    if (!at.within) return;
    Numbers<V> a = load<V>(to, at.i), b = load<V>(from, at.i);
    for (int k = 0; k < V; k++) a.at[k] += b.at[k];
    store<V>(to, at.i, a);
}

// Where the head's gradient begins: delta = coefficient of the image * weight * rectify'(h).
template <int V> __device__ static inline void seed_(float* delta, const float* h, const float* head,
                                                     const float* coefficients, int kind, unsigned images,
                                                     unsigned pixels, unsigned channels) {
    Place<V> at(images, pixels, channels);
    if (!at.within) return;
    Numbers<V> d = load<V>(h, at.i);
    for (int k = 0; k < V; k++)
        d.at[k] = coefficients[at.image] * head[at.channel + k] * rectify_slope(kind, d.at[k]);
    store<V>(delta, at.i, d);
}

// Zeros around images, or the images out of their middle: (height, width) is the smaller one, which begins at (up,
// left).
template <int V> __device__ static inline void frame_(float* to, const float* from, int inwards, unsigned images,
                                                      unsigned height, unsigned width, unsigned wide_height,
                                                      unsigned wide_width, unsigned up, unsigned left,
                                                      unsigned channels) {
    Place<V> at(images, inwards ? height * width : wide_height * wide_width, channels);
    if (!at.within) return;
    unsigned wide = channels / V, lane = at.channel / V;
    if (inwards) {
        unsigned y = at.pixel / width + up, x = at.pixel % width + left;
        store<V>(to, at.i, load<V>(from, (((long)at.image * wide_height + y) * wide_width + x) * wide + lane));
        return;
    }
    unsigned y = at.pixel / wide_width - up, x = at.pixel % wide_width - left; // below 0: very large
    Numbers<V> v;
    for (int k = 0; k < V; k++) v.at[k] = 0.0f;
    if (y < height && x < width) v = load<V>(from, (((long)at.image * height + y) * width + x) * wide + lane);
    store<V>(to, at.i, v);
}

#define PLACES unsigned images, unsigned pixels, unsigned channels
#define ROWS const float *rows, int width_of_row, int each
#define FOR_BOTH(V, name)                                                                                              \
    extern "C" __global__ void shift##name(float* to, const float* from, ROWS, int bias, int kind, float leak,         \
                                           PLACES) {                                                                   \
        shift_<V>(to, from, Rows{rows, width_of_row, each}, bias, kind, leak, images, pixels, channels);               \
    }                                                                                                                  \
    extern "C" __global__ void finish##name(float* z, float* h, float* next, const float* sums, const float* round,    \
                                            ROWS, int gain, int bias, int next_bias, int kind, float leak, int pool,   \
                                            unsigned images, unsigned height, unsigned width, unsigned from_height,    \
                                            unsigned from_width, unsigned channels) {                                  \
        finish_<V>(z, h, next, sums, round, Rows{rows, width_of_row, each}, gain, bias, next_bias, kind, leak, pool,   \
                   images, height, width, from_height, from_width, channels);                                          \
    }                                                                                                                  \
    extern "C" __global__ void unfinish##name(float* plain, float* gained, const float* delta, const float* z, ROWS,   \
                                              int gain, int kind, float leak, int pool, unsigned images,               \
                                              unsigned height, unsigned width, unsigned to_height, unsigned to_width,  \
                                              unsigned channels) {                                                     \
        unfinish_<V>(plain, gained, delta, z, Rows{rows, width_of_row, each}, gain, kind, leak, pool, images, height,  \
                     width, to_height, to_width, channels);                                                            \
    }                                                                                                                  \
    extern "C" __global__ void unshift##name(float* delta, const float* z, int kind, float leak, PLACES) {             \
        unshift_<V>(delta, z, kind, leak, images, pixels, channels);                                                   \
    }                                                                                                                  \
    extern "C" __global__ void add##name(float* to, const float* from, PLACES) {                                       \
        add_<V>(to, from, images, pixels, channels);                                                                   \
    }                                                                                                                  \
    extern "C" __global__ void seed##name(float* delta, const float* h, const float* head, const float* coefficients,  \
                                          int kind, PLACES) {                                                          \
        seed_<V>(delta, h, head, coefficients, kind, images, pixels, channels);                                        \
    }                                                                                                                  \
    extern "C" __global__ void frame##name(float* to, const float* from, int inwards, unsigned images, unsigned height,\
                                           unsigned width, unsigned wide_height, unsigned wide_width, unsigned up,     \
                                           unsigned left, unsigned channels) {                                         \
        frame_<V>(to, from, inwards, images, height, width, wide_height, wide_width, up, left, channels);              \
    }

FOR_BOTH(1, _1)
FOR_BOTH(4, _4)

// sums[image * width + place + channel] = sum over pixels of rectify(one) or, where there is an `other`, of one *
// other. Blocks of 32 channels x 8 pixels; summed in an order that depends on the sizes alone.
extern "C" __global__ void total(float* sums, const float* one, const float* other, int kind, unsigned pixels,
                                 unsigned channels, unsigned width, unsigned place) {
    __shared__ float part[8][32];
    unsigned channel = blockIdx.x * 32 + threadIdx.x, image = blockIdx.y;
    float sum = 0.0f;
    if (channel < channels)
        for (unsigned p = threadIdx.y; p < pixels; p += 8) {
            long i = ((long)image * pixels + p) * channels + channel;
            sum += other ? one[i] * other[i] : rectify(kind, one[i]);
        }
    part[threadIdx.y][threadIdx.x] = sum;
    __syncthreads();
    if (threadIdx.y == 0 && channel < channels) {
        for (int k = 1; k < 8; k++) sum += part[k][threadIdx.x];
        sums[(long)image * width + place + channel] = sum;
    }
}
