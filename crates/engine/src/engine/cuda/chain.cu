// Langevin chains of a perceptron's energy: one launch runs all steps of all chains.
//
// A block owns TILE chains. Their positions, gradients and hidden values stay in shared memory, f32; weights lie beside
// them where they fit (WEIGHTS_SHARED), else they come from L2. Products run on the matrix units (MODE 1: tf32, MODE 2:
// bf16, both with f32 sums) or in f32 on the ordinary ones (MODE 0). Noise is made in registers from the same counters
// as on the CPU, so chains on both devices can be compared number by number.
//
// Floors for W weights, B chains, a step: 4 W B operations over the units' rate; where weights are streamed, 8 W bytes
// (2 bytes a weight in bf16, each read forward and backward, half of them twice) for each tile over the rate of L2.
//
// Defined ahead of this text by the host (source.rs): MODE, TILE (16 times a power of 2), THREADS, LAYERS, WIDTHS
// (padded widths of input and hidden layers), INPUTS (true width of the input), SWISH or LEAK, WEIGHTS_SHARED,
// FIRST_ROWS (each chain has its own part of the first layer), and the function `terms` of the analytic terms.

#define WARPS (THREADS / 32)
#define PAD 4 /* words between rows, so that the lanes of a fragment fall into different banks */

#if MODE == 2
typedef unsigned short weight_t;
#else
typedef float weight_t;
#endif

__device__ static inline float load_weight(const weight_t* w) {
#if MODE == 2
    return bits_to_float((unsigned)(*w) << 16);
#else
    return *w;
#endif
}

__device__ static inline void activate(float z, float* h, float* slope) {
#ifdef SWISH
    float s = 1.0f / (1.0f + expf(-z));
    *h = z * s;
    *slope = fmaf(*h, 1.0f - s, s);
#else
    *slope = z < 0.0f ? LEAK : 1.0f;
    *h = z * *slope;
#endif
}

// What becomes of a sum: `l` is the layer whose outputs are computed, or -1 on the way back to the input.
enum Then { FORWARD, LAST, BACK, TO_INPUT };

struct Tile {
    float* x;                      // (TILE, WIDTHS[0] + PAD), zeros beyond INPUTS
    float* grad;                   // the same
    float* hidden[LAYERS];         // (TILE, WIDTHS[l + 1] + PAD), all but the last
    float* slope[LAYERS];
    float* energy;                 // (TILE)
    const weight_t* weight[LAYERS]; // (WIDTHS[l + 1], WIDTHS[l] + PAD)
};

__device__ static inline void finish(
    const Tile& t, int l, Then then, int row, int column, float sum, const float* bias, const float* first,
    const float* head, long long chain, long long chains) {
    const int widths[] = WIDTHS;
    if (then == TO_INPUT) {
        t.grad[row * (widths[0] + PAD) + column] = sum;
        return;
    }
    int place = row * (widths[l + 1] + PAD) + column;
    if (then == BACK) {
        t.slope[l][place] *= sum;
        return;
    }
    float start = bias[column];
#ifdef FIRST_ROWS
    if (l == 0) start = chain + row < chains ? first[(chain + row) * widths[1] + column] : 0.0f;
#endif
    float h, s;
    activate(sum + start, &h, &s);
    if (then == FORWARD) {
        t.hidden[l][place] = h;
        t.slope[l][place] = s;
    } else {
        // The energy's part stands in the place of the hidden value until it is added up.
        t.hidden[l][place] = head[column] * h;
        t.slope[l][place] = head[column] * s;
    }
}

// out (TILE, n) = in (TILE, k) times the weight of layer `l`: transposed on the way forward (n outputs, k inputs), as
// it lies on the way back (n inputs, k outputs).
__device__ static void product(
    const Tile& t, int l, Then then, const float* in, const float* bias, const float* first, const float* head,
    long long chain, long long chains) {
    const int widths[] = WIDTHS;
    const bool forward = then == FORWARD || then == LAST;
    const int k = forward ? widths[l] : widths[l + 1], n = forward ? widths[l + 1] : widths[l];
    const int stride = widths[l] + PAD, in_stride = k + PAD;
    const weight_t* w = t.weight[l];
    const int of = then == BACK ? l - 1 : l;
#if MODE == 0
    // A thread takes 4 chains of one output: each weight it reads serves all four.
    for (int unit = thread_index(); unit < TILE / 4 * n; unit += THREADS) {
        int column = unit % n, row = unit / n * 4;
        float sum[4] = {0.0f, 0.0f, 0.0f, 0.0f};
        const weight_t* from = forward ? w + column * stride : w + column;
        const int step = forward ? 1 : stride;
        for (int i = 0; i < k; ++i) {
            float weight = load_weight(from + i * step);
            for (int r = 0; r < 4; ++r) sum[r] = fmaf(weight, in[(row + r) * in_stride + i], sum[r]);
        }
        for (int r = 0; r < 4; ++r) finish(t, of, then, row + r, column, sum[r], bias, first, head, chain, chains);
    }
#else
    // A warp takes 16 chains times 8 outputs at a time.
    const int warp = thread_index() / 32, lane = thread_index() % 32, g = lane / 4, q = lane % 4;
    const int columns = n / 8;
    for (int unit = warp; unit < TILE / 16 * columns; unit += WARPS) {
        int column = unit % columns * 8, row = unit / columns * 16;
        const float* upper = in + (row + g) * in_stride;
        const float* lower = upper + 8 * in_stride;
        float c[4] = {0.0f, 0.0f, 0.0f, 0.0f};
        const weight_t* from = forward ? w + (column + g) * stride : w + column + g;
        const int step = forward ? 1 : stride;
#if MODE == 1
        for (int i = 0; i < k; i += 8) {
            unsigned a[4] = {to_tf32(upper[i + q]), to_tf32(lower[i + q]),
                             to_tf32(upper[i + q + 4]), to_tf32(lower[i + q + 4])};
            unsigned b[2] = {to_tf32(from[(i + q) * step]), to_tf32(from[(i + q + 4) * step])};
            mma_tf32(c, a, b);
        }
#else
        for (int i = 0; i < k; i += 16) {
            const int j = i + 2 * q;
            unsigned a[4] = {
                pack_bf16(upper[j], upper[j + 1]), pack_bf16(lower[j], lower[j + 1]),
                pack_bf16(upper[j + 8], upper[j + 9]), pack_bf16(lower[j + 8], lower[j + 9])};
            unsigned b[2] = {
                (unsigned)from[j * step] | (unsigned)from[(j + 1) * step] << 16,
                (unsigned)from[(j + 8) * step] | (unsigned)from[(j + 9) * step] << 16};
            mma_bf16(c, a, b);
        }
#endif
        for (int i = 0; i < 4; ++i)
            finish(t, of, then, row + g + i / 2 * 8, column + 2 * q + i % 2, c[i], bias, first, head, chain, chains);
    }
#endif
}

// Value and gradient of the whole energy at t.x.
__device__ static void evaluate(
    const Tile& t, const float* const* bias, const float* first, const float* head, float offset, float factor,
    const float* constants, const float* rows, long long chain, long long chains) {
    const int widths[] = WIDTHS;
    for (int l = 0; l < LAYERS; ++l) {
        const float* in = l == 0 ? t.x : t.hidden[l - 1];
        product(t, l, l + 1 < LAYERS ? FORWARD : LAST, in, bias[l], first, head, chain, chains);
        synchronise();
    }
    // Energies: a thread a chain, in the order of the features.
    const int last = widths[LAYERS] + PAD;
    for (int row = thread_index(); row < TILE; row += THREADS) {
        float sum = offset;
        for (int i = 0; i < widths[LAYERS]; ++i) sum += t.hidden[LAYERS - 1][row * last + i];
        t.energy[row] = factor * sum;
    }
    for (int l = LAYERS - 1; l > 0; --l) {
        product(t, l, BACK, t.slope[l], bias[l], first, head, chain, chains);
        synchronise();
    }
    product(t, 0, TO_INPUT, t.slope[0], bias[0], first, head, chain, chains);
    synchronise();
    // A warp a chain: its lanes share the features, and their energies are added in a fixed order.
    const int warp = thread_index() / 32, lane = thread_index() % 32, stride = widths[0] + PAD;
    for (int row = warp; row < TILE; row += WARPS) {
        float energy = 0.0f;
        for (int i = lane; i < INPUTS; i += 32) {
            float g = factor * t.grad[row * stride + i];
            energy += terms(constants, rows, chain + row < chains ? chain + row : 0, i, t.x[row * stride + i], &g);
            t.grad[row * stride + i] = g;
        }
        for (int distance = 16; distance > 0; distance /= 2) energy += shuffle_down(energy, distance);
        long long of = chain + row < chains ? chain + row : 0;
        if (lane == 0) t.energy[row] += energy + chain_constant(constants, rows, of);
    }
    synchronise();
}

GLOBAL langevin(
    const weight_t* weights,   // all layers one after the other, each (outputs, inputs + PAD), padded widths
    const float* biases,       // all layers one after the other, padded widths
    const float* head,         // (WIDTHS[LAYERS])
    const float* first,        // (chains, WIDTHS[1]) where FIRST_ROWS
    const float* constants, const float* rows,
    const float* schedule,     // (steps, 2): multiplier of the gradient, standard deviation of the noise
    float* x,                  // (chains, INPUTS), in and out
    float* energy, float* gradient,
    int* bad,                  // the first step after which a number is not finite
    float offset, float factor, float clip, float low, float high,
    unsigned long long key, unsigned draw, unsigned long long first_chain, long long chains, int steps) {
    const int widths[] = WIDTHS;
    SHARED(memory);
    Tile t;
    float* free_memory = memory;
    const int stride = widths[0] + PAD;
    t.x = free_memory, free_memory += TILE * stride;
    t.grad = free_memory, free_memory += TILE * stride;
    const float* bias[LAYERS];
    const weight_t* all = weights;
    const float* all_biases = biases;
    for (int l = 0; l < LAYERS; ++l) {
        t.hidden[l] = free_memory, free_memory += TILE * (widths[l + 1] + PAD);
        t.slope[l] = free_memory, free_memory += TILE * (widths[l + 1] + PAD);
        t.weight[l] = all, all += widths[l + 1] * (widths[l] + PAD);
        bias[l] = all_biases, all_biases += widths[l + 1];
    }
    t.energy = free_memory, free_memory += TILE;
#ifdef WEIGHTS_SHARED
    weight_t* own = (weight_t*)free_memory;
    const int count = (int)(all - weights);
    for (int i = thread_index(); i < count; i += THREADS) own[i] = weights[i];
    for (int l = 0; l < LAYERS; ++l) t.weight[l] = own + (t.weight[l] - weights);
#endif
    const long long chain = (long long)block_index() * TILE;
    for (int i = thread_index(); i < TILE * stride; i += THREADS) {
        int row = i / stride, column = i % stride;
        t.x[i] = chain + row < chains && column < INPUTS ? x[(chain + row) * INPUTS + column] : 0.0f;
    }
    synchronise();
    evaluate(t, bias, first, head, offset, factor, constants, rows, chain, chains);
    for (int k = 0; k < steps; ++k) {
        const float step = schedule[2 * k], noise = schedule[2 * k + 1];
        const int blocks = (INPUTS + 3) / 4;
        for (int unit = thread_index(); unit < TILE * blocks; unit += THREADS) {
            int row = unit / blocks, block = unit % blocks;
            float n[4] = {0.0f, 0.0f, 0.0f, 0.0f};
            if (noise > 0.0f) {
                unsigned long long of = first_chain + (unsigned long long)(chain + row);
                Counter r = philox((unsigned)block, draw + (unsigned)k, of, key);
                normals(r.c[0], r.c[1], n, n + 1);
                normals(r.c[2], r.c[3], n + 2, n + 3);
            }
            for (int i = 0; i < 4 && 4 * block + i < INPUTS; ++i) {
                int place = row * stride + 4 * block + i;
                // Comparisons that let a NaN through.
                float g = t.grad[place];
                g = g > clip ? clip : g < -clip ? -clip : g;
                float to = fmaf(noise, n[i], fmaf(-step, g, t.x[place]));
                t.x[place] = to > high ? high : to < low ? low : to;
            }
        }
        synchronise();
        evaluate(t, bias, first, head, offset, factor, constants, rows, chain, chains);
        for (int row = thread_index(); row < TILE && chain + row < chains; row += THREADS)
            if (!(fabsf(t.energy[row]) <= 3.4028235e38f)) atomic_min(bad, k);
    }
    for (int i = thread_index(); i < TILE * INPUTS; i += THREADS) {
        int row = i / INPUTS, column = i % INPUTS;
        if (chain + row >= chains) continue;
        float g = t.grad[row * stride + column];
        if (!(fabsf(g) <= 3.4028235e38f)) atomic_min(bad, steps > 0 ? steps - 1 : 0);
        x[(chain + row) * INPUTS + column] = t.x[row * stride + column];
        gradient[(chain + row) * INPUTS + column] = g;
    }
    for (int row = thread_index(); row < TILE; row += THREADS)
        if (chain + row < chains) energy[chain + row] = t.energy[row];
}
