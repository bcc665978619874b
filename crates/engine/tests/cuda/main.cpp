// Reads a job's arrays from the file argv[1], runs the kernel on the CPU, writes x, energies, gradients and `bad` to argv[2].

static std::FILE* in;
template <class T> static std::vector<T> numbers() {
    int64_t count = 0;
    if (std::fread(&count, 8, 1, in) != 1) std::abort();
    std::vector<T> all(count + 1);  // never empty, so that a pointer to it is one
    if (std::fread(all.data(), sizeof(T), count, in) != (size_t)count) std::abort();
    all.resize(count);
    return all;
}

static std::vector<float> weights, biases, head, first, constants, rows, schedule, x, energy, gradient;
static std::vector<weight_t> cut;
static int bad = 0x7fffffff;
static std::vector<float> scalars;
static std::vector<int64_t> counts;  // key, draw, first chain, chains, steps, blocks, shared floats

int main(int, char** argv) {
    in = std::fopen(argv[1], "rb");
    for (auto* all : {&weights, &biases, &head, &first, &constants, &rows, &schedule, &x, &scalars}) *all = numbers<float>();
    counts = numbers<int64_t>();
    for (float w : weights)
#if MODE == 2
        cut.push_back((weight_t)round_bf16(w));
#else
        cut.push_back(w);
#endif
    energy.assign(counts[3], NAN), gradient.assign(x.size(), NAN);
    host::run((int)counts[5], (size_t)counts[6], [] {
        langevin(
            cut.data(), biases.data(), head.data(), first.data(), constants.data(), rows.data(), schedule.data(), x.data(),
            energy.data(), gradient.data(), &bad, scalars[0], scalars[1], scalars[2], scalars[3], scalars[4],
            (unsigned long long)counts[0], (unsigned)counts[1], (unsigned long long)counts[2], counts[3], (int)counts[4]);
    });
    std::FILE* out = std::fopen(argv[2], "wb");
    std::fwrite(x.data(), 4, x.size(), out);
    std::fwrite(energy.data(), 4, energy.size(), out);
    std::fwrite(gradient.data(), 4, gradient.size(), out);
    std::fwrite(&bad, 4, 1, out);
    return std::fclose(out);
}
