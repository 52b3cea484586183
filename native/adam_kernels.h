// Adam's update of flat memory, in a source that is compiled once for each instruction set.
#pragma once

#include <cstdint>

namespace thaw {

struct AdamOptions {
  float rate;          // learning rate with both bias corrections
  float beta1, rest1;  // rest = 1 - beta, rounded once: in fp32, 1 - 0.999f is 1e-5 off
  float beta2, rest2;
  float eps;     // times the second bias correction
  float shrink;  // factor of the parameter before the step, 1 without decoupled decay
  float l2;      // share of the parameter added to the gradient
};

struct AdamKernels {
  void (*update)(float* parameter, const float* gradient, float* average, float* square_average,
                 int64_t count, const AdamOptions& options);
};

}  // namespace thaw
