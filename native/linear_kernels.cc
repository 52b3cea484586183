// Compiled once for each instruction set, with its name in THAW_LINEAR_KERNELS (CMakeLists.txt).
#include "linear_kernels.h"

#include "lanes.h"

namespace thaw {

namespace {

// How many sums are held in registers at once: of 32 of AVX-512 twenty, else what fits into 16 of
// half the width or less.
#ifdef __AVX512F__
constexpr int kRows = 4, kClasses = 5, kVectors = 4;
#else
constexpr int kRows = 2, kClasses = 3, kVectors = 1;
#endif

// For the second-level cache: the first holds the weights.
inline void Prefetch(const float* from) { __builtin_prefetch(from, /*rw=*/0, /*locality=*/2); }

// The last features, where they fill no vector.
inline Floats LoadFirst(const float* from, int64_t count) {
  float values[kLanes] = {};
  std::memcpy(values, from, count * sizeof(float));
  return Load(values);
}

template <int rows, int classes>
void ScoresTile(const float* x, int64_t features, int64_t ahead, const float* weights,
                const float* bias, float* scores, int64_t stride) {
  Floats sums[rows][classes] = {};
  const auto add = [&](int64_t at, const auto& load) {
    Floats w[classes];
    for (int k = 0; k < classes; ++k) w[k] = load(weights + k * features);
    for (int i = 0; i < rows; ++i) {
      const Floats v = load(x + i * features);
      Prefetch(x + i * features + at + ahead);
      for (int k = 0; k < classes; ++k) sums[i][k] += v * w[k];
    }
  };
  int64_t j = 0;
  for (; j + kLanes <= features; j += kLanes) {
    add(j, [j](const float* row) { return Load(row + j); });
  }
  if (j < features) {
    add(j, [j, features](const float* row) { return LoadFirst(row + j, features - j); });
  }
  for (int k = 0; k < classes; ++k) {
    for (int i = 0; i < rows; ++i) scores[k * stride + i] = bias[k] + Sum(sums[i][k]);
  }
}

template <int classes>
void ScoresOf(const float* x, int64_t rows, int64_t features, int64_t ahead, const float* weights,
              const float* bias, float* scores, int64_t stride) {
  int64_t i = 0;
  for (; i + kRows <= rows; i += kRows) {
    ScoresTile<kRows, classes>(x + i * features, features, ahead, weights, bias, scores + i,
                               stride);
  }
  for (; i < rows; ++i) {
    ScoresTile<1, classes>(x + i * features, features, ahead, weights, bias, scores + i, stride);
  }
}

void Scores(const float* x, int64_t rows, int64_t features, const float* weights, const float* bias,
            int64_t classes, float* scores, int64_t stride) {
  // So few rows that they are still in the second-level cache for the next classes.
  constexpr int64_t kBlock = 64;
  // While the first classes are computed, the next block comes from memory, at the same place of
  // it.
  const int64_t next = kBlock * features;
  for (int64_t first = 0; first < rows; first += kBlock) {
    const int64_t count = rows - first < kBlock ? rows - first : kBlock;
    const float* block = x + first * features;
    int64_t k = 0;
    for (; k + kClasses <= classes; k += kClasses) {
      ScoresOf<kClasses>(block, count, features, k == 0 ? next : 0, weights + k * features,
                         bias + k, scores + k * stride + first, stride);
    }
    for (; k < classes; ++k) {
      ScoresOf<1>(block, count, features, k == 0 ? next : 0, weights + k * features, bias + k,
                  scores + k * stride + first, stride);
    }
  }
}

template <int classes, int vectors>
void GradientTile(const float* derivative, int64_t stride, const float* x, int64_t rows,
                  int64_t features, int64_t ahead, double* gradient) {
  Floats sums[classes][vectors] = {};
  for (int64_t i = 0; i < rows; ++i) {
    Floats v[vectors];
    for (int j = 0; j < vectors; ++j) {
      v[j] = Load(x + i * features + j * kLanes);
      Prefetch(x + i * features + j * kLanes + ahead);
    }
    for (int k = 0; k < classes; ++k) {
      const Floats by = Floats{} + derivative[k * stride + i];
      for (int j = 0; j < vectors; ++j) sums[k][j] += by * v[j];
    }
  }
  for (int k = 0; k < classes; ++k) {
    for (int j = 0; j < vectors; ++j) AddTo(gradient + k * features + j * kLanes, sums[k][j]);
  }
}

template <int classes>
void GradientOf(const float* derivative, int64_t stride, const float* x, int64_t rows,
                int64_t features, int64_t ahead, double* gradient) {
  int64_t j = 0;
  for (; j + kVectors * kLanes <= features; j += kVectors * kLanes) {
    GradientTile<classes, kVectors>(derivative, stride, x + j, rows, features, ahead, gradient + j);
  }
  for (; j + kLanes <= features; j += kLanes) {
    GradientTile<classes, 1>(derivative, stride, x + j, rows, features, ahead, gradient + j);
  }
  for (; j < features; ++j) {
    for (int k = 0; k < classes; ++k) {
      float sum = 0;
      for (int64_t i = 0; i < rows; ++i) sum += derivative[k * stride + i] * x[i * features + j];
      gradient[k * features + j] += sum;
    }
  }
}

void Gradient(const float* derivative, int64_t stride, int64_t classes, const float* x,
              int64_t rows, int64_t features, double* gradient) {
  // So few that fp32 sums stay exact enough and the rows stay in the second-level cache.
  constexpr int64_t kBlock = 64;
  const int64_t next = kBlock * features;
  for (int64_t first = 0; first < rows; first += kBlock) {
    const int64_t count = rows - first < kBlock ? rows - first : kBlock;
    const float* block = x + first * features;
    int64_t k = 0;
    for (; k + kClasses <= classes; k += kClasses) {
      GradientOf<kClasses>(derivative + k * stride + first, stride, block, count, features,
                           k == 0 ? next : 0, gradient + k * features);
    }
    for (; k < classes; ++k) {
      GradientOf<1>(derivative + k * stride + first, stride, block, count, features,
                    k == 0 ? next : 0, gradient + k * features);
    }
  }
}

}  // namespace

extern const LinearKernels THAW_LINEAR_KERNELS;
const LinearKernels THAW_LINEAR_KERNELS = {Scores, Gradient};

}  // namespace thaw
