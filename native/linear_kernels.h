// Products with few rows on one side, as linear classifiers have them: scores of n samples for K
// classes and the gradient of their coefficients, K small beside n and d. Pointers and counts
// alone, so that the same source can be compiled once for each instruction set.
#pragma once

#include <cstdint>

namespace thaw {

struct LinearKernels {
  // scores[k * stride + i] = bias[k] + sum over j of x[i, j] * weights[k, j], for `rows` rows i of
  // x and `classes` rows k of weights, both `features` long and dense.
  void (*scores)(const float* x, int64_t rows, int64_t features, const float* weights,
                 const float* bias, int64_t classes, float* scores, int64_t stride);
  // gradient[k, j] += sum over i of derivative[k * stride + i] * x[i, j].
  void (*gradient)(const float* derivative, int64_t stride, int64_t classes, const float* x,
                   int64_t rows, int64_t features, double* gradient);
};

}  // namespace thaw
