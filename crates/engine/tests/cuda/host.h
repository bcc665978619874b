// A CUDA block on a CPU: its threads are coroutines that take turns at every barrier, and the matrix instructions are
// written out from their definition in the PTX ISA. For tests of the kernel's arithmetic, not of its speed.
#include <math.h>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <ucontext.h>
#include <vector>

#define __device__
#define GLOBAL extern "C" void
#define SHARED(name) float* name = host::shared.data()


static inline float cospif(float v) { return (float)cos(3.14159265358979323846 * (double)v); }
static inline float sinpif(float v) { return (float)sin(3.14159265358979323846 * (double)v); }

namespace host {
struct Fiber { ucontext_t context; std::vector<char> stack; long block = 0, warp = 0; bool done = false; };
static std::vector<Fiber> fibers(THREADS);
static std::vector<float> shared;
static ucontext_t scheduler;
static int current, block;
static void (*entry)();
static float lanes[THREADS];
static unsigned fragment_a[THREADS][4], fragment_b[THREADS][2];

static void pass() { swapcontext(&fibers[current].context, &scheduler); }
// Waits until all threads from `first` on have come as often.
template <long Fiber::*count> static void meet(int first, int number) {
    long mine = ++(fibers[current].*count);
    for (;;) {
        bool all = true;
        for (int i = first; i < first + number; ++i) all = all && (fibers[i].done || fibers[i].*count >= mine);
        if (all) return;
        pass();
    }
}
static void warp_meet() { meet<&Fiber::warp>(current / 32 * 32, 32); }
static void begin() { entry(); fibers[current].done = true; pass(); }
static void run(int blocks, size_t shared_floats, void (*work)()) {
    entry = work;
    for (block = 0; block < blocks; ++block) {
        shared.assign(shared_floats, NAN);
        for (auto& f : fibers) {
            f.stack.resize(1 << 17), f.block = f.warp = 0, f.done = false;
            getcontext(&f.context);
            f.context.uc_stack.ss_sp = f.stack.data(), f.context.uc_stack.ss_size = f.stack.size();
            f.context.uc_link = &scheduler;
            makecontext(&f.context, begin, 0);
        }
        for (bool left = true; left;) {
            left = false;
            for (current = 0; current < THREADS; ++current)
                if (!fibers[current].done) left = true, swapcontext(&scheduler, &fibers[current].context);
        }
    }
}
static float tf32(unsigned bits) { float v; std::memcpy(&v, &bits, 4); return v; }
static float bf16(unsigned bits) { return tf32(bits << 16); }
}  // namespace host

static inline int thread_index() { return host::current; }
static inline int block_index() { return host::block; }
static inline void synchronise() { host::meet<&host::Fiber::block>(0, THREADS); }
static inline unsigned mul_high(unsigned a, unsigned b) { return (unsigned)((uint64_t)a * b >> 32); }
static inline float bits_to_float(unsigned bits) { return host::tf32(bits); }
static inline unsigned float_to_bits(float v) { unsigned r; std::memcpy(&r, &v, 4); return r; }
static inline void atomic_min(int* place, int value) { if (value < *place) *place = value; }
static inline unsigned to_tf32(float v) { return (float_to_bits(v) + 0x1000u) & ~0x1fffu; }
static inline unsigned round_bf16(float v) { unsigned b = float_to_bits(v); return (b + 0x7fffu + (b >> 16 & 1)) >> 16; }
static inline unsigned pack_bf16(float low, float high) { return round_bf16(low) | round_bf16(high) << 16; }

static inline float shuffle_down(float v, int distance) {
    host::lanes[host::current] = v;
    host::warp_meet();
    int lane = host::current % 32;
    float out = lane + distance < 32 ? host::lanes[host::current + distance] : v;
    host::warp_meet();
    return out;
}

template <int K, float (*value)(unsigned), int PER> static inline void mma(float* c, const unsigned* a, const unsigned* b) {
    using namespace host;
    std::memcpy(fragment_a[current], a, 16), std::memcpy(fragment_b[current], b, 8);
    warp_meet();
    int base = current / 32 * 32, lane = current % 32;
    for (int i = 0; i < 4; ++i) {
        int row = lane / 4 + i / 2 * 8, column = lane % 4 * 2 + i % 2;
        double sum = c[i];
        for (int k = 0; k < K; ++k) {
            // Which lane and register holds a(row, k) and b(k, column), and which half of it.
            int q = k % (4 * PER) / PER, part = k / (4 * PER), half = k % PER;
            unsigned ra = fragment_a[base + row % 8 * 4 + q][row / 8 + 2 * part];
            unsigned rb = fragment_b[base + column * 4 + q][part];
            if (PER == 2) ra = ra >> (16 * half) & 0xffffu, rb = rb >> (16 * half) & 0xffffu;
            sum += (double)value(ra) * value(rb);
        }
        c[i] = (float)sum;
    }
    warp_meet();
}
static inline void mma_tf32(float* c, const unsigned* a, const unsigned* b) { mma<8, host::tf32, 1>(c, a, b); }
static inline void mma_bf16(float* c, const unsigned* a, const unsigned* b) { mma<16, host::bf16, 2>(c, a, b); }
