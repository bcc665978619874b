// The few things that a kernel asks of the device itself. tests/cuda/host.h gives them on a CPU.

#define GLOBAL extern "C" __global__ void __launch_bounds__(THREADS)
#define SHARED(name) extern __shared__ float name[]

__device__ static inline int thread_index() { return threadIdx.x; }
__device__ static inline int block_index() { return blockIdx.x; }
__device__ static inline void synchronise() { __syncthreads(); }
__device__ static inline unsigned mul_high(unsigned a, unsigned b) { return __umulhi(a, b); }
__device__ static inline float bits_to_float(unsigned bits) { return __uint_as_float(bits); }
__device__ static inline float shuffle_down(float v, int distance) {
    return __shfl_down_sync(0xffffffffu, v, distance);
}
__device__ static inline void atomic_min(int* place, int value) { atomicMin(place, value); }

// Rounded to 10 bits of mantissa, to nearest.
__device__ static inline unsigned to_tf32(float v) {
    unsigned r;
    asm("cvt.rna.tf32.f32 %0, %1;" : "=r"(r) : "f"(v));
    return r;
}

// Two numbers rounded to bf16, the first in the lower half.
__device__ static inline unsigned pack_bf16(float low, float high) {
    unsigned r;
    asm("cvt.rn.bf16x2.f32 %0, %1, %2;" : "=r"(r) : "f"(high), "f"(low));
    return r;
}

// c (16, 8) += a (16, 8) b (8, 8); who holds what: PTX ISA, "Matrix fragments for mma.m16n8k8".
__device__ static inline void mma_tf32(float* c, const unsigned* a, const unsigned* b) {
    asm volatile(
        "mma.sync.aligned.m16n8k8.row.col.f32.tf32.tf32.f32 {%0,%1,%2,%3}, {%4,%5,%6,%7}, {%8,%9}, {%0,%1,%2,%3};"
        : "+f"(c[0]), "+f"(c[1]), "+f"(c[2]), "+f"(c[3])
        : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(b[0]), "r"(b[1]));
}

// c (16, 8) += a (16, 16) b (16, 8).
__device__ static inline void mma_bf16(float* c, const unsigned* a, const unsigned* b) {
    asm volatile(
        "mma.sync.aligned.m16n8k16.row.col.f32.bf16.bf16.f32 {%0,%1,%2,%3}, {%4,%5,%6,%7}, {%8,%9}, {%0,%1,%2,%3};"
        : "+f"(c[0]), "+f"(c[1]), "+f"(c[2]), "+f"(c[3])
        : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(b[0]), "r"(b[1]));
}
