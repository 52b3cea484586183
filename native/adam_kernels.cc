// Compiled once for each instruction set, with its name in THAW_ADAM_KERNELS (CMakeLists.txt).
#include "adam_kernels.h"

#include <cmath>

namespace thaw {

namespace {

void Update(float* __restrict parameter, const float* __restrict gradient,
            float* __restrict average, float* __restrict square_average, int64_t count,
            const AdamOptions& options) {
  const AdamOptions o = options;
  for (int64_t i = 0; i < count; ++i) {
    const float p = parameter[i] * o.shrink;
    const float g = gradient[i] + o.l2 * p;
    const float m = o.beta1 * average[i] + o.rest1 * g;
    const float v = o.beta2 * square_average[i] + o.rest2 * g * g;
    average[i] = m;
    square_average[i] = v;
    parameter[i] = p - o.rate * m / (std::sqrt(v) + o.eps);
  }
}

}  // namespace

extern const AdamKernels THAW_ADAM_KERNELS;
const AdamKernels THAW_ADAM_KERNELS = {Update};

}  // namespace thaw
