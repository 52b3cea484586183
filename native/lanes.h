// Vectors of kLanes numbers, for sources that are compiled once for each instruction set. In an
// anonymous namespace, so that no set's code is taken for another's.
#pragma once

#ifdef __AVX512F__
#include <immintrin.h>
#endif

#include <cstdint>
#include <cstring>

#include "instruction_set.h"

namespace thaw {

namespace {

using Floats = float __attribute__((vector_size(4 * kLanes)));
using Ints = int32_t __attribute__((vector_size(4 * kLanes)));
using Words = uint32_t __attribute__((vector_size(4 * kLanes)));
using Halves = uint16_t __attribute__((vector_size(2 * kLanes)));
using Bytes = uint8_t __attribute__((vector_size(kLanes)));

inline Floats Load(const float* from) {
  Floats v;
  std::memcpy(&v, from, sizeof v);
  return v;
}

// GCC 12 converts between element widths in halves and pieces: where there is an instruction, it is
// named.
#ifdef __AVX512F__
// The forms without a mask make GCC 12 warn of a value that nobody set.
constexpr __mmask16 kAll = 0xFFFF;
inline Words Widen(Halves h) {
  return reinterpret_cast<Words>(_mm512_maskz_cvtepu16_epi32(kAll, reinterpret_cast<__m256i>(h)));
}
inline Ints Widen(Bytes b) {
  return reinterpret_cast<Ints>(_mm512_maskz_cvtepu8_epi32(kAll, reinterpret_cast<__m128i>(b)));
}
inline Halves ToHalves(Words v) {
  return reinterpret_cast<Halves>(_mm512_maskz_cvtepi32_epi16(kAll, reinterpret_cast<__m512i>(v)));
}
inline Bytes ToBytes(Ints v) {
  return reinterpret_cast<Bytes>(_mm512_maskz_cvtepi32_epi8(kAll, reinterpret_cast<__m512i>(v)));
}
#else
inline Words Widen(Halves h) { return __builtin_convertvector(h, Words); }
inline Ints Widen(Bytes b) { return __builtin_convertvector(b, Ints); }
inline Halves ToHalves(Words v) { return __builtin_convertvector(v, Halves); }
inline Bytes ToBytes(Ints v) { return __builtin_convertvector(v, Bytes); }
#endif

inline Floats Load(const uint16_t* from) {
  Halves h;
  std::memcpy(&h, from, sizeof h);
  return reinterpret_cast<Floats>(Widen(h) << 16);
}

inline void Store(float* to, Floats v) { std::memcpy(to, &v, sizeof v); }

// Rounds to the nearest, to even where it is between two, as libtorch; NaN stays NaN.
inline void Store(uint16_t* to, Floats v) {
  const auto bits = reinterpret_cast<Words>(v);
  const Words rounded = (bits + 0x7FFF + ((bits >> 16) & 1)) >> 16;
  const Words nan = Words{} + 0x7FC0;
  const Halves h = ToHalves(v == v ? rounded : nan);
  std::memcpy(to, &h, sizeof h);
}

inline Ints LoadBytes(const uint8_t* from) {
  Bytes b;
  std::memcpy(&b, from, sizeof b);
  return Widen(b);
}

inline void StoreBytes(uint8_t* to, Ints v) {
  const Bytes b = ToBytes(v);
  std::memcpy(to, &b, sizeof b);
}

inline void AddTo(double* totals, Floats v) {
#ifdef __AVX512F__
  constexpr __mmask8 kHalf = 0xFF;
  const __m256 halves[] = {_mm512_maskz_extractf32x8_ps(kHalf, v, 0),
                           _mm512_maskz_extractf32x8_ps(kHalf, v, 1)};
  for (int i = 0; i < 2; ++i) {
    const __m512d half = _mm512_maskz_cvtps_pd(kHalf, halves[i]);
    _mm512_storeu_pd(totals + 8 * i, _mm512_loadu_pd(totals + 8 * i) + half);
  }
#else
  for (int i = 0; i < kLanes; ++i) totals[i] += v[i];
#endif
}

inline float Sum(Floats v) {
  using Eight = float __attribute__((vector_size(32)));
  using Four = float __attribute__((vector_size(16)));
  Eight eights[2];
  std::memcpy(eights, &v, sizeof v);
  const Eight eight = eights[0] + eights[1];
  Four fours[2];
  std::memcpy(fours, &eight, sizeof eight);
  const Four four = fours[0] + fours[1];
  return (four[0] + four[1]) + (four[2] + four[3]);
}

}  // namespace

}  // namespace thaw
