// Depthwise convolutions of bfloat16 training on the CPU. Forward is libtorch's. Its backward pass
// takes many times as long as forward, in some versions for strides, in others for large kernels:
// here it passes over memory once.
#include <ATen/ATen.h>
#include <ATen/Parallel.h>
#include <torch/csrc/autograd/custom_function.h>
#include <torch/library.h>

#include <algorithm>

#include "compat.h"
#include "depthwise_kernels.h"
#include "half_tensors.h"
#include "instruction_set.h"

namespace thaw {

namespace {

at::Tensor Convolve(const at::Tensor& x, const at::Tensor& weight, const Optional<at::Tensor>& bias,
                    int64_t stride, int64_t padding) {
  const auto half_bias =
      bias.has_value() ? Optional<at::Tensor>(bias->to(at::kBFloat16)) : Optional<at::Tensor>();
  return at::conv2d(x, weight, half_bias, stride, padding, 1, x.size(1));
}

}  // namespace

#ifdef THAW_HAS_KERNELS
THAW_DECLARE_AND_CHOOSE(DepthwiseKernels, DepthwiseKernels, BestDepthwiseKernels)

namespace {

using torch::autograd::AutogradContext;
using torch::autograd::variable_list;

// Dense channels_last memory, as the kernels read it.
at::Tensor Dense(const at::Tensor& x) {
  return x.to(at::kBFloat16).contiguous(at::MemoryFormat::ChannelsLast);
}

struct DepthwiseConv2d : torch::autograd::Function<DepthwiseConv2d> {
  // `weight` and `bias` in fp32, computed with as bfloat16: so autocast does it.
  static at::Tensor forward(AutogradContext* context, const at::Tensor& x, const at::Tensor& weight,
                            const Optional<at::Tensor>& bias, int64_t stride, int64_t padding,
                            bool learns_input, bool learns_weight) {
    const auto rounded = weight.to(at::kBFloat16);
    context->save_for_backward({learns_weight ? x : at::Tensor(), rounded});
    context->saved_data["sizes"] = x.sizes();
    context->saved_data["stride"] = stride;
    context->saved_data["padding"] = padding;
    context->saved_data["learns_input"] = learns_input;
    context->saved_data["has_bias"] = bias.has_value();
    return Convolve(x, rounded, bias, stride, padding);
  }

  static variable_list backward(AutogradContext* context, variable_list gradients) {
    RefuseSecondDerivative("thaw::depthwise_conv2d");
    const auto saved = context->get_saved_variables();
    const auto &x = saved[0], &weight = saved[1];
    const auto sizes = context->saved_data["sizes"].toIntVector();
    const auto g = Dense(gradients[0]);
    const DepthwiseShape shape{sizes[2],
                               sizes[3],
                               g.size(2),
                               g.size(3),
                               sizes[1],
                               weight.size(2),
                               context->saved_data["stride"].toInt(),
                               context->saved_data["padding"].toInt()};
    at::Tensor dx, dweight, dbias;
    if (context->saved_data["learns_input"].toBool()) dx = ByInput(g, weight, shape, sizes);
    if (x.defined()) dweight = ByWeight(x, g, shape).view(weight.sizes());
    if (context->saved_data["has_bias"].toBool()) dbias = at::sum(g, {0, 2, 3}, false, at::kFloat);
    return {dx, dweight, dbias, {}, {}, {}, {}};
  }

 private:
  static at::Tensor ByInput(const at::Tensor& g, const at::Tensor& weight,
                            const DepthwiseShape& shape, at::IntArrayRef sizes) {
    const auto taps = weight.to(at::kFloat).view({shape.channels, -1}).t().contiguous();
    auto dx = at::empty(sizes, g.options(), at::MemoryFormat::ChannelsLast);
    at::parallel_for(0, sizes[0] * shape.height, 1, [&](int64_t begin, int64_t end) {
      BestDepthwiseKernels().backward_input(Bits(g), taps.data_ptr<float>(), shape, begin, end,
                                            Bits(dx));
    });
    return dx;
  }

  // In one piece a thread, added up in order: the same number of threads gives the same bits.
  static at::Tensor ByWeight(const at::Tensor& x, const at::Tensor& g,
                             const DepthwiseShape& shape) {
    const int64_t rows = x.size(0) * shape.out_height;
    const int64_t pieces = std::max<int64_t>(1, std::min<int64_t>(at::get_num_threads(), rows));
    const int64_t taps = shape.kernel * shape.kernel;
    auto sums = at::zeros({pieces, taps, shape.channels}, x.options().dtype(at::kDouble));
    auto* to = sums.data_ptr<double>();
    at::parallel_for(0, pieces, 1, [&](int64_t first, int64_t last) {
      for (int64_t piece = first; piece < last; ++piece) {
        BestDepthwiseKernels().backward_weight(Bits(x), Bits(g), shape, rows * piece / pieces,
                                               rows * (piece + 1) / pieces,
                                               to + piece * taps * shape.channels);
      }
    });
    return sums.sum(0).t().contiguous().to(at::kFloat);
  }
};

}  // namespace

#endif

namespace {

// x [N, C, H, W], weight [C, 1, k, k]: each channel by its own kernel, in bfloat16.
at::Tensor DepthwiseConv2dOperator(const at::Tensor& x, const at::Tensor& weight,
                                   const Optional<at::Tensor>& bias, int64_t stride,
                                   int64_t padding) {
  TORCH_CHECK(x.dim() == 4 && weight.dim() == 4 && weight.size(0) == x.size(1) &&
                  weight.size(1) == 1 && weight.size(2) == weight.size(3) && stride > 0 &&
                  padding >= 0,
              "wants images and a square kernel for each of their channels");
  // What follows is in bfloat16 already.
  c10::impl::ExcludeDispatchKeyGuard without_autocast(c10::DispatchKey::AutocastCPU);
  const auto half = x.to(at::kBFloat16);
#ifdef THAW_HAS_KERNELS
  const bool learns_input = half.requires_grad(), learns_weight = weight.requires_grad();
  if (x.is_cpu() && at::GradMode::is_enabled() && (learns_input || learns_weight) &&
      x.size(1) >= kLanes && x.numel() > 0 && weight.size(2) <= kMaxDepthwiseKernel) {
    return DepthwiseConv2d::apply(half.contiguous(at::MemoryFormat::ChannelsLast), weight, bias,
                                  stride, padding, learns_input, learns_weight);
  }
#endif
  return Convolve(half, weight.to(at::kBFloat16), bias, stride, padding);
}

}  // namespace

TORCH_LIBRARY_FRAGMENT(thaw, library) {
  library.def(
      "depthwise_conv2d(Tensor x, Tensor weight, Tensor? bias=None, int stride=1, int padding=0) "
      "-> Tensor",
      DepthwiseConv2dOperator);
}

}  // namespace thaw
