// MinHash signatures by hand for one processor: what `curation.minhash` is measured against as the limit of the machine.
//
//     g++ -O3 -march=native -shared -fPIC minhash_twin.cpp -o minhash_twin.so
//
// 112 affine32 minima of word 5-grams over a run of UTF-8 bytes and the bounds between texts, with AVX-512 (BW) or AVX2. From words on it is
// curation's definition: a shingle is the sum of its words' 64-bit hashes, each times its place's odd factor, of which the upper 32 bits go
// through MurmurHash3's finalizer and all permutations. Words are a simpler matter here, so that they can be found 64 bytes at a time: runs of
// ASCII letters and digits and of all bytes from 0x80, ASCII letters in lower case, hashed eight bytes at a time by a wide multiplication.
// No Unicode classes, no folding, no text hash.
//
// `sign_plainly` gives the same signatures byte by byte, in the plainest way; the benchmark compares both before it believes either.

#include <immintrin.h>

#include <algorithm>
#include <cstdint>
#include <cstring>
#include <vector>

namespace {

constexpr int NGRAM = 5;
constexpr int PERMUTATIONS = 112;
constexpr int BLOCK = 64;
constexpr uint64_t GOLDEN = 0x9E3779B97F4A7C15;
constexpr uint64_t MIX = 0xA0761D6478BD642F;

#if defined(__AVX512BW__)
using Lanes = __m512i;
inline Lanes load(const void* from) { return _mm512_loadu_si512(from); }
inline void store(void* to, Lanes lanes) { _mm512_storeu_si512(to, lanes); }
inline Lanes repeated(uint32_t value) { return _mm512_set1_epi32(static_cast<int>(value)); }
inline Lanes lower_image(Lanes least, Lanes hash, Lanes factor, Lanes term) {
    return _mm512_min_epu32(least, _mm512_add_epi32(_mm512_mullo_epi32(hash, factor), term));
}
// Returns a bit for each of 64 bytes that belongs to a word, and writes the bytes with ASCII letters in lower case.
inline uint64_t word_bytes(const uint8_t* text, uint8_t* lowered) {
    const __m512i bytes = _mm512_loadu_si512(text);
    const __m512i folded = _mm512_or_si512(bytes, _mm512_set1_epi8(0x20));
    const __mmask64 letters = _mm512_cmplt_epu8_mask(_mm512_sub_epi8(folded, _mm512_set1_epi8('a')), _mm512_set1_epi8(26));
    const __mmask64 digits = _mm512_cmplt_epu8_mask(_mm512_sub_epi8(bytes, _mm512_set1_epi8('0')), _mm512_set1_epi8(10));
    _mm512_storeu_si512(lowered, _mm512_mask_mov_epi8(bytes, letters, folded));
    return letters | digits | _mm512_movepi8_mask(bytes);
}
#elif defined(__AVX2__)
using Lanes = __m256i;
inline Lanes load(const void* from) { return _mm256_loadu_si256(static_cast<const __m256i*>(from)); }
inline void store(void* to, Lanes lanes) { _mm256_storeu_si256(static_cast<__m256i*>(to), lanes); }
inline Lanes repeated(uint32_t value) { return _mm256_set1_epi32(static_cast<int>(value)); }
inline Lanes lower_image(Lanes least, Lanes hash, Lanes factor, Lanes term) {
    return _mm256_min_epu32(least, _mm256_add_epi32(_mm256_mullo_epi32(hash, factor), term));
}
inline __m256i within(__m256i bytes, char first, char last) {
    const __m256i distance = _mm256_sub_epi8(bytes, _mm256_set1_epi8(first));
    return _mm256_cmpeq_epi8(_mm256_min_epu8(distance, _mm256_set1_epi8(static_cast<char>(last - first))), distance);
}
inline uint64_t word_bytes(const uint8_t* text, uint8_t* lowered) {
    uint64_t found = 0;
    for (int half = 0; half < BLOCK; half += 32) {
        const __m256i bytes = load(text + half);
        const __m256i folded = _mm256_or_si256(bytes, _mm256_set1_epi8(0x20));
        const __m256i letters = within(folded, 'a', 'z');
        store(lowered + half, _mm256_blendv_epi8(bytes, folded, letters));
        const __m256i words = _mm256_or_si256(_mm256_or_si256(letters, within(bytes, '0', '9')), bytes);
        found |= static_cast<uint64_t>(static_cast<uint32_t>(_mm256_movemask_epi8(words))) << half;
    }
    return found;
}
#else
#error "needs AVX2 or AVX-512"
#endif

constexpr int WIDTH = sizeof(Lanes) / sizeof(uint32_t);
constexpr int HELD = 7;  // registers of minima in one pass: 7 x 16 permutations, or 7 x 8 and the other half in a second pass
static_assert(PERMUTATIONS % (HELD * WIDTH) == 0);

inline uint32_t premixed(uint32_t value) {
    value ^= value >> 16;
    value *= 0x85EBCA6B;
    value ^= value >> 13;
    value *= 0xC2B2AE35;
    return value ^ (value >> 16);
}

inline uint64_t folded_product(uint64_t one, uint64_t other) {
    const unsigned __int128 product = static_cast<unsigned __int128>(one) * other;
    return static_cast<uint64_t>(product) ^ static_cast<uint64_t>(product >> 64);
}

// Eight bytes may be read at any place of a word: what lies behind its end is masked away.
inline uint64_t word_hash(const uint8_t* word, int64_t length) {
    uint64_t hash = GOLDEN ^ static_cast<uint64_t>(length), eight;
    for (; length > 8; length -= 8, word += 8) {
        std::memcpy(&eight, word, 8);
        hash = folded_product(eight ^ MIX, hash);
    }
    std::memcpy(&eight, word, 8);
    return folded_product((eight & (~uint64_t{0} >> (64 - 8 * length))) ^ MIX, hash);
}

struct Working {
    std::vector<uint8_t> lowered;
    std::vector<uint64_t> words;
    std::vector<uint32_t> shingles;

    Working(const int64_t* bounds, int64_t count) {
        int64_t longest = 0;
        for (int64_t text = 0; text < count; ++text) longest = std::max(longest, bounds[text + 1] - bounds[text]);
        lowered.resize(longest + 2 * BLOCK);
        words.resize(longest / 2 + 2 + NGRAM);
        shingles.resize(longest / 2 + 2);
    }
};

int64_t find_words(const uint8_t* text, int64_t size, Working& working) {
    uint8_t* lowered = working.lowered.data();
    uint64_t* words = working.words.data();
    int64_t found = 0, start = 0;
    uint64_t before = 0;  // whether the last byte of the block before belonged to a word
    bool inside = false;
    for (int64_t at = 0; at <= size; at += BLOCK) {  // a block of nothing ends the last word
        uint64_t block;
        if (size - at >= BLOCK) {
            block = word_bytes(text + at, lowered + at);
        } else {
            uint8_t rest[BLOCK] = {};
            std::memcpy(rest, text + at, size - at);
            block = word_bytes(rest, lowered + at);
        }
        for (uint64_t edges = block ^ (block << 1 | before); edges; edges &= edges - 1) {
            const int64_t edge = at + __builtin_ctzll(edges);
            if (inside) words[found++] = word_hash(lowered + start, edge - start);
            else start = edge;
            inside = !inside;
        }
        before = block >> 63;
    }
    return found;
}

inline int64_t combine(const uint64_t* words, int64_t count, uint32_t* shingles) {
    uint64_t factors[NGRAM] = {GOLDEN};
    for (int place = 1; place < NGRAM; ++place) factors[place] = factors[place - 1] * GOLDEN;
    if (count < NGRAM) {
        uint64_t sum = 0;
        for (int place = 0; place < count; ++place) sum += words[place] * factors[place];
        shingles[0] = premixed(static_cast<uint32_t>(sum >> 32));
        return 1;
    }
    for (int64_t at = 0; at <= count - NGRAM; ++at) {
        uint64_t sum = 0;
        for (int place = 0; place < NGRAM; ++place) sum += words[at + place] * factors[place];
        shingles[at] = premixed(static_cast<uint32_t>(sum >> 32));
    }
    return count - NGRAM + 1;
}

inline void take_minima(const uint32_t* shingles, int64_t total, const uint32_t* factors, const uint32_t* terms, uint32_t* minima) {
    for (int pass = 0; pass < PERMUTATIONS; pass += HELD * WIDTH) {
        Lanes least[HELD], factor[HELD], term[HELD];
        for (int held = 0; held < HELD; ++held) {
            least[held] = repeated(0xFFFFFFFF);
            factor[held] = load(factors + pass + held * WIDTH);
            term[held] = load(terms + pass + held * WIDTH);
        }
        for (int64_t at = 0; at < total; ++at) {
            const Lanes hash = repeated(shingles[at]);
#pragma GCC unroll 7
            for (int held = 0; held < HELD; ++held) least[held] = lower_image(least[held], hash, factor[held], term[held]);
        }
        for (int held = 0; held < HELD; ++held) store(minima + pass + held * WIDTH, least[held]);
    }
}

}  // namespace

// All three return how many shingles the texts have, repeated ones included.

extern "C" int64_t shingle_texts(const uint8_t* data, const int64_t* bounds, int64_t count) {
    Working working(bounds, count);
    int64_t total = 0;
    for (int64_t text = 0; text < count; ++text) {
        const int64_t words = find_words(data + bounds[text], bounds[text + 1] - bounds[text], working);
        total += combine(working.words.data(), words, working.shingles.data());
    }
    return total;
}

extern "C" int64_t sign_texts(
    const uint8_t* data, const int64_t* bounds, int64_t count, const uint32_t* factors, const uint32_t* terms, uint32_t* signatures
) {
    Working working(bounds, count);
    int64_t total = 0;
    for (int64_t text = 0; text < count; ++text) {
        const int64_t words = find_words(data + bounds[text], bounds[text + 1] - bounds[text], working);
        const int64_t shingles = combine(working.words.data(), words, working.shingles.data());
        take_minima(working.shingles.data(), shingles, factors, terms, signatures + text * PERMUTATIONS);
        total += shingles;
    }
    return total;
}

extern "C" int64_t sign_plainly(
    const uint8_t* data, const int64_t* bounds, int64_t count, const uint32_t* factors, const uint32_t* terms, uint32_t* signatures
) {
    int64_t total = 0;
    for (int64_t text = 0; text < count; ++text) {
        std::vector<std::vector<uint8_t>> words;
        bool inside = false;
        for (int64_t at = bounds[text]; at < bounds[text + 1]; ++at) {
            uint8_t byte = data[at];
            if (byte >= 'A' && byte <= 'Z') byte = static_cast<uint8_t>(byte - 'A' + 'a');
            const bool of_word = (byte >= 'a' && byte <= 'z') || (byte >= '0' && byte <= '9') || byte >= 0x80;
            if (of_word && !inside) words.emplace_back();
            if (of_word) words.back().push_back(byte);
            inside = of_word;
        }
        const int64_t size = std::min<int64_t>(words.size(), NGRAM);
        const int64_t shingles = std::max<int64_t>(1, static_cast<int64_t>(words.size()) - NGRAM + 1);
        uint32_t* minima = signatures + text * PERMUTATIONS;
        std::fill(minima, minima + PERMUTATIONS, 0xFFFFFFFF);
        for (int64_t at = 0; at < shingles; ++at) {
            uint64_t sum = 0, factor = 1;
            for (int64_t place = 0; place < size; ++place) {
                std::vector<uint8_t> padded = words[at + place];
                padded.resize(padded.size() + 8);
                sum += word_hash(padded.data(), static_cast<int64_t>(padded.size()) - 8) * (factor *= GOLDEN);
            }
            const uint32_t hash = premixed(static_cast<uint32_t>(sum >> 32));
            for (int k = 0; k < PERMUTATIONS; ++k) minima[k] = std::min(minima[k], hash * factors[k] + terms[k]);
        }
        total += shingles;
    }
    return total;
}
