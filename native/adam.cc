// Adam's update of a parameter in one pass over memory, which libtorch before 2.4 has no CPU kernel
// for.
#include <ATen/ATen.h>
#include <ATen/Parallel.h>
#include <torch/csrc/autograd/variable.h>
#include <torch/library.h>

#include <cmath>
#include <string>

#include "adam_kernels.h"
#include "instruction_set.h"

#ifdef THAW_HAS_KERNELS

namespace thaw {

THAW_DECLARE_AND_CHOOSE(AdamKernels, AdamKernels, BestAdamKernels)

namespace {

// All of one layout each: the kernel takes them as flat memory.
void FusedAdam(at::TensorList parameters, at::TensorList gradients, at::TensorList averages,
               at::TensorList square_averages, at::TensorList max_square_averages,
               at::TensorList steps, double lr, double beta1, double beta2, double weight_decay,
               double eps, bool amsgrad, bool maximize, bool decoupled) {
  TORCH_CHECK(!amsgrad && !maximize && max_square_averages.empty(),
              "amsgrad and maximize are not supported");
  TORCH_CHECK(gradients.size() == parameters.size() && averages.size() == parameters.size() &&
                  square_averages.size() == parameters.size() && steps.size() == parameters.size(),
              "wants as many of each as there are parameters");
  for (size_t i = 0; i < parameters.size(); ++i) {
    for (const auto& tensor : {parameters[i], gradients[i], averages[i], square_averages[i]}) {
      TORCH_CHECK(tensor.is_cpu() && tensor.scalar_type() == at::kFloat &&
                      tensor.sizes() == parameters[i].sizes() &&
                      tensor.is_non_overlapping_and_dense(),
                  "wants dense float32 tensors of one shape on the CPU");
    }
    const double step = steps[i].item<double>();
    const double correction = std::sqrt(1 - std::pow(beta2, step));
    AdamOptions options{};
    options.rate = static_cast<float>(lr * correction / (1 - std::pow(beta1, step)));
    options.beta1 = static_cast<float>(beta1);
    options.rest1 = static_cast<float>(1 - beta1);
    options.beta2 = static_cast<float>(beta2);
    options.rest2 = static_cast<float>(1 - beta2);
    options.eps = static_cast<float>(eps * correction);
    options.shrink = static_cast<float>(decoupled ? 1 - lr * weight_decay : 1);
    options.l2 = static_cast<float>(decoupled ? 0 : weight_decay);
    auto* parameter = parameters[i].data_ptr<float>();
    const auto* gradient = gradients[i].data_ptr<float>();
    auto* average = averages[i].data_ptr<float>();
    auto* square_average = square_averages[i].data_ptr<float>();
    constexpr int64_t kGrain = 32768;
    at::parallel_for(0, parameters[i].numel(), kGrain, [&](int64_t begin, int64_t end) {
      BestAdamKernels().update(parameter + begin, gradient + begin, average + begin,
                               square_average + begin, end - begin, options);
    });
    // A graph that still holds the old values must see that they are gone.
    torch::autograd::impl::bump_version(parameters[i]);
  }
}

template <bool decoupled>
void FusedAdamOperator(at::TensorList parameters, at::TensorList gradients, at::TensorList averages,
                       at::TensorList square_averages, at::TensorList max_square_averages,
                       at::TensorList steps, double lr, double beta1, double beta2,
                       double weight_decay, double eps, bool amsgrad, bool maximize) {
  FusedAdam(parameters, gradients, averages, square_averages, max_square_averages, steps, lr, beta1,
            beta2, weight_decay, eps, amsgrad, maximize, decoupled);
}

}  // namespace

// The schemas are those of aten::_fused_adam_ and aten::_fused_adamw_.
TORCH_LIBRARY_FRAGMENT(thaw, library) {
  const std::string schema =
      "(Tensor(a!)[] self, Tensor[] grads, Tensor(b!)[] exp_avgs, Tensor(c!)[] exp_avg_sqs, "
      "Tensor[] max_exp_avg_sqs, Tensor[] state_steps, float lr, float beta1, float beta2, "
      "float weight_decay, float eps, bool amsgrad, bool maximize) -> ()";
  library.def(("_fused_adam_" + schema).c_str());
  library.def(("_fused_adamw_" + schema).c_str());
}

// For the CPU alone, so that no other device is told to have them.
TORCH_LIBRARY_IMPL(thaw, CPU, library) {
  library.impl("_fused_adam_", FusedAdamOperator<false>);
  library.impl("_fused_adamw_", FusedAdamOperator<true>);
}

}  // namespace thaw

#endif
