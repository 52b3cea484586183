// Operators of our own, where libtorch's cost several passes over memory: registered with its
// dispatcher, and called through the same door as all others. Each equals a composition of ATen's
// operators, which it falls back to where its kernel does not apply.
#include <ATen/ATen.h>
#include <ATen/Parallel.h>
#include <torch/csrc/autograd/autograd.h>
#include <torch/csrc/autograd/custom_function.h>
#include <torch/csrc/autograd/variable.h>
#include <torch/library.h>

#include <algorithm>
#include <cmath>
#include <vector>

#include "fused_kernels.h"
#include "instruction_set.h"
#include "modules.h"

namespace thaw {

namespace {

// Batch norm, ReLU and pooling of libtorch's operators. The maximum and the ReLU commute, values
// and gradients alike, and after pooling the ReLU passes over a quarter of the memory.
at::Tensor Composed(const at::Tensor& x, const at::Tensor& weight, const at::Tensor& bias,
                    const at::Tensor& running_mean, const at::Tensor& running_var, bool training,
                    double momentum, double eps) {
  const auto z = at::batch_norm(x, weight, bias, running_mean, running_var, training, momentum, eps,
                                /*cudnn_enabled=*/true);
  return at::relu(at::max_pool2d(z, 2));
}

}  // namespace

#ifdef THAW_HAS_KERNELS

THAW_DECLARE_AND_CHOOSE(Kernels, Kernels, BestKernels)

namespace {

using torch::autograd::AutogradContext;
using torch::autograd::variable_list;

template <typename T>
const PoolKernels<T>& Pool();
template <>
const PoolKernels<float>& Pool() {
  return BestKernels().fp32;
}
template <>
const PoolKernels<uint16_t>& Pool() {
  return BestKernels().bf16;
}

// Calls `body` with a null pointer of the element type that the kernels know a tensor's by.
template <typename Body>
auto ForElementOf(const at::Tensor& tensor, const Body& body) {
  if (tensor.scalar_type() == at::kFloat) return body(static_cast<float*>(nullptr));
  return body(static_cast<uint16_t*>(nullptr));
}

template <typename T>
T* Data(const at::Tensor& tensor) {
  return static_cast<T*>(tensor.data_ptr());
}

PoolShape ShapeOf(const at::Tensor& x) { return {x.size(2), x.size(3), x.size(1)}; }

int64_t PooledRows(const at::Tensor& x) { return x.size(0) * (x.size(2) / 2); }

// Runs `body(begin, end, sum, other)` over [0, count) in one piece a thread and adds the pieces'
// sums in their order, so that the same number of threads gives the same bits.
template <typename Body>
void SumOver(int64_t count, int64_t channels, std::vector<double>& sum, std::vector<double>& other,
             const Body& body) {
  const int64_t pieces = std::max<int64_t>(1, std::min<int64_t>(at::get_num_threads(), count));
  std::vector<double> sums(pieces * channels), others(pieces * channels);
  at::parallel_for(0, pieces, 1, [&](int64_t first, int64_t last) {
    for (int64_t piece = first; piece < last; ++piece) {
      body(count * piece / pieces, count * (piece + 1) / pieces, &sums[piece * channels],
           &others[piece * channels]);
    }
  });
  for (int64_t i = 0; i < pieces * channels; ++i) {
    sum[i % channels] += sums[i];
    other[i % channels] += others[i];
  }
}

// BatchNorm by the batch's statistics, then ReLU, then 2x2 max pooling with stride 2. Between
// forward and backward it keeps its input, a byte for each pooled value, and two values a channel.
struct BatchNormReluMaxPool : torch::autograd::Function<BatchNormReluMaxPool> {
  static at::Tensor forward(AutogradContext* context, const at::Tensor& x, const at::Tensor& weight,
                            const at::Tensor& bias, const at::Tensor& running_mean,
                            const at::Tensor& running_var, double momentum, double eps) {
    const PoolShape shape = ShapeOf(x);
    const int64_t channels = shape.channels;
    const int64_t rows = x.numel() / channels;
    auto y = at::empty({x.size(0), channels, shape.out_height(), shape.out_width()}, x.options(),
                       at::MemoryFormat::ChannelsLast);
    auto which = at::empty_like(y, y.options().dtype(at::kByte));
    auto mean = at::empty({channels}, weight.options().requires_grad(false));
    auto inverse_std = at::empty_like(mean);
    ForElementOf(x, [&](auto* element) {
      using T = std::remove_pointer_t<decltype(element)>;
      const T* data = Data<T>(x);
      // Around the first pixel, so that a mean far from zero costs no digits of the variance.
      const auto shift = x.select(0, 0).select(1, 0).select(1, 0).to(at::kFloat).contiguous();
      std::vector<double> sum(channels), squares(channels);
      SumOver(rows, channels, sum, squares, [&](int64_t begin, int64_t end, double* s, double* q) {
        Pool<T>().statistics(data + begin * channels, end - begin, channels, Data<float>(shift), s,
                             q);
      });
      std::vector<float> scale(channels), offset(channels);
      for (int64_t c = 0; c < channels; ++c) {
        const double from_shift = sum[c] / static_cast<double>(rows);
        const double center = Data<float>(shift)[c] + from_shift;
        const double rounded = squares[c] / static_cast<double>(rows) - from_shift * from_shift;
        // Not std::max, which would make 0 of NaN.
        const double variance = rounded < 0 ? 0 : rounded;
        const double inverse = 1 / std::sqrt(variance + eps);
        Data<float>(mean)[c] = static_cast<float>(center);
        Data<float>(inverse_std)[c] = static_cast<float>(inverse);
        scale[c] = static_cast<float>(Data<float>(weight)[c] * inverse);
        offset[c] = static_cast<float>(Data<float>(bias)[c] - center * scale[c]);
        const double unbiased =
            variance * static_cast<double>(rows) / static_cast<double>(rows - 1);
        Blend(Data<float>(running_mean)[c], center, momentum);
        Blend(Data<float>(running_var)[c], unbiased, momentum);
      }
      at::parallel_for(0, PooledRows(x), 1, [&](int64_t begin, int64_t end) {
        Pool<T>().forward(data, shape, scale.data(), offset.data(), begin, end, Data<T>(y),
                          Data<uint8_t>(which));
      });
    });
    context->save_for_backward({x, weight, bias, mean, inverse_std, which});
    context->saved_data["eps"] = eps;
    return y;
  }

  static variable_list backward(AutogradContext* context, variable_list gradients) {
    const auto saved = context->get_saved_variables();
    const auto &x = saved[0], &weight = saved[1], &bias = saved[2], &mean = saved[3],
               &inverse_std = saved[4], &which = saved[5];
    // With create_graph; the kernels' results would stand in no graph.
    if (at::GradMode::is_enabled()) {
      return ComposedBackward({x, weight, bias}, gradients[0],
                              context->saved_data["eps"].toDouble());
    }
    const auto g = gradients[0].to(x.scalar_type()).contiguous(at::MemoryFormat::ChannelsLast);
    const PoolShape shape = ShapeOf(x);
    const int64_t channels = shape.channels;
    const auto rows = static_cast<double>(x.numel() / channels);
    auto dx = at::empty_like(x);
    auto dweight = at::empty_like(mean);
    auto dbias = at::empty_like(mean);
    ForElementOf(x, [&](auto* element) {
      using T = std::remove_pointer_t<decltype(element)>;
      std::vector<double> sum(channels), product(channels);
      SumOver(PooledRows(x), channels, sum, product,
              [&](int64_t begin, int64_t end, double* s, double* p) {
                Pool<T>().reduce(Data<T>(x), Data<T>(g), Data<uint8_t>(which), shape,
                                 Data<float>(mean), begin, end, s, p);
              });
      std::vector<float> a(channels), b(channels), c(channels);
      for (int64_t i = 0; i < channels; ++i) {
        const double inverse = Data<float>(inverse_std)[i];
        const double factor = Data<float>(weight)[i] * inverse;
        const double slope = -factor * inverse * inverse * product[i] / rows;
        a[i] = static_cast<float>(factor);
        b[i] = static_cast<float>(-factor * sum[i] / rows - slope * Data<float>(mean)[i]);
        c[i] = static_cast<float>(slope);
        Data<float>(dweight)[i] = static_cast<float>(product[i] * inverse);
        Data<float>(dbias)[i] = static_cast<float>(sum[i]);
      }
      at::parallel_for(0, PooledRows(x), 1, [&](int64_t begin, int64_t end) {
        Pool<T>().backward(Data<T>(x), Data<T>(g), Data<uint8_t>(which), shape, a.data(), b.data(),
                           c.data(), begin, end, Data<T>(dx));
      });
    });
    return {dx, dweight, dbias, {}, {}, {}, {}};
  }

 private:
  static variable_list ComposedBackward(const variable_list& inputs, const at::Tensor& gradient,
                                        double eps) {
    const auto y = Composed(inputs[0], inputs[1], inputs[2], {}, {}, true, 0, eps);
    variable_list wanted;
    for (const auto& input : inputs) {
      if (input.requires_grad()) wanted.push_back(input);
    }
    const auto found = torch::autograd::grad({y}, wanted, {gradient}, true, true);
    variable_list result(7);
    size_t next = 0;
    for (size_t i = 0; i < inputs.size(); ++i) {
      if (inputs[i].requires_grad()) result[i] = found[next++];
    }
    return result;
  }

  static void Blend(float& running, double now, double momentum) {
    running = static_cast<float>((1 - momentum) * running + momentum * now);
  }
};

// What does not fit, libtorch's operators compute or refuse.
bool KernelApplies(const at::Tensor& x, at::TensorList of_channels) {
  const auto dtype = x.scalar_type();
  if (!x.is_cpu() || x.dim() != 4 || (dtype != at::kFloat && dtype != at::kBFloat16) ||
      x.size(1) % kLanes != 0 || x.size(0) == 0 || x.size(2) < 2 || x.size(3) < 2 ||
      !x.is_contiguous(at::MemoryFormat::ChannelsLast)) {
    return false;
  }
  return std::all_of(of_channels.begin(), of_channels.end(), [&](const at::Tensor& tensor) {
    return tensor.is_cpu() && tensor.scalar_type() == at::kFloat && tensor.dim() == 1 &&
           tensor.size(0) == x.size(1) && tensor.is_contiguous();
  });
}

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
    auto* parameter = Data<float>(parameters[i]);
    const auto* gradient = Data<float>(gradients[i]);
    auto* average = Data<float>(averages[i]);
    auto* square_average = Data<float>(square_averages[i]);
    constexpr int64_t kGrain = 32768;
    at::parallel_for(0, parameters[i].numel(), kGrain, [&](int64_t begin, int64_t end) {
      BestKernels().adam(parameter + begin, gradient + begin, average + begin,
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

#endif

namespace {

at::Tensor BatchNormReluMaxPoolOperator(const at::Tensor& x, const at::Tensor& weight,
                                        const at::Tensor& bias, const at::Tensor& running_mean,
                                        const at::Tensor& running_var, bool training,
                                        double momentum, double eps) {
#ifdef THAW_HAS_KERNELS
  if (training && KernelApplies(x, {weight, bias, running_mean, running_var})) {
    return BatchNormReluMaxPool::apply(x, weight, bias, running_mean, running_var, momentum, eps);
  }
#endif
  return Composed(x, weight, bias, running_mean, running_var, training, momentum, eps);
}

}  // namespace

// The schemas of the optimizers are those of aten::_fused_adam_ and aten::_fused_adamw_, which
// older libtorch has no CPU kernel for.
TORCH_LIBRARY(thaw, library) {
  library.def(
      "batch_norm_relu_max_pool(Tensor x, Tensor weight, Tensor bias, Tensor(a!) running_mean, "
      "Tensor(b!) running_var, bool training, float momentum, float eps) -> Tensor",
      BatchNormReluMaxPoolOperator);
#ifdef THAW_HAS_KERNELS
  const std::string adam =
      "(Tensor(a!)[] self, Tensor[] grads, Tensor(b!)[] exp_avgs, Tensor(c!)[] exp_avg_sqs, "
      "Tensor[] max_exp_avg_sqs, Tensor[] state_steps, float lr, float beta1, float beta2, "
      "float weight_decay, float eps, bool amsgrad, bool maximize) -> ()";
  library.def(("_fused_adam_" + adam).c_str());
  library.def(("_fused_adamw_" + adam).c_str());
#endif
}

#ifdef THAW_HAS_KERNELS
// For the CPU alone, so that no other device is told to have them.
TORCH_LIBRARY_IMPL(thaw, CPU, library) {
  library.impl("_fused_adam_", FusedAdamOperator<false>);
  library.impl("_fused_adamw_", FusedAdamOperator<true>);
}
#endif

}  // namespace thaw
