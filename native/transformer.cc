// GELU, self-attention and layer norm of bfloat16 training on the CPU. libtorch 1.13 makes several
// slow passes over memory for them: here scores stay in the cache between a product and its
// softmax, gradients of queries, keys and values go straight to where they are wanted, and a norm
// gives what the product after it takes.
#include <ATen/ATen.h>
#include <ATen/Parallel.h>
#include <torch/csrc/autograd/custom_function.h>
#include <torch/library.h>

#include <algorithm>
#include <cmath>
#include <cstring>

#include "half_tensors.h"
#include "instruction_set.h"
#include "transformer_kernels.h"

namespace thaw {

#ifdef THAW_HAS_KERNELS
THAW_DECLARE_AND_CHOOSE(TransformerKernels, TransformerKernels, BestTransformerKernels)

namespace {

using torch::autograd::AutogradContext;
using torch::autograd::variable_list;

float* Numbers(const at::Tensor& tensor) { return tensor.data_ptr<float>(); }

bool Learns(const at::Tensor& x) { return at::GradMode::is_enabled() && x.requires_grad(); }

bool IsBFloat16(const at::Tensor& x) { return x.is_cpu() && x.scalar_type() == at::kBFloat16; }

template <typename Body>
void ForEachPiece(const at::Tensor& x, const Body& body) {
  constexpr int64_t kGrain = 16384;
  at::parallel_for(0, x.numel(), kGrain,
                   [&](int64_t begin, int64_t end) { body(begin, end - begin); });
}

struct Gelu : torch::autograd::Function<Gelu> {
  // Between forward and backward the derivative is kept, in the input's room: one product is left.
  static at::Tensor forward(AutogradContext* context, const at::Tensor& x, bool learns) {
    auto y = at::empty_like(x);
    const auto slope = learns ? at::empty_like(x) : at::Tensor();
    ForEachPiece(x, [&](int64_t begin, int64_t count) {
      BestTransformerKernels().gelu(Bits(x) + begin, count, Bits(y) + begin,
                                    learns ? Bits(slope) + begin : nullptr);
    });
    if (learns) context->save_for_backward({slope});
    return y;
  }

  static variable_list backward(AutogradContext* context, variable_list gradients) {
    RefuseSecondDerivative("thaw::fused_gelu");
    const auto slope = context->get_saved_variables()[0];
    const auto g = gradients[0].to(at::kBFloat16).contiguous();
    auto dx = at::empty_like(slope);
    ForEachPiece(dx, [&](int64_t begin, int64_t count) {
      BestTransformerKernels().multiply(Bits(g) + begin, Bits(slope) + begin, count,
                                        Bits(dx) + begin);
    });
    return {dx, {}};
  }
};

struct LayerNorm : torch::autograd::Function<LayerNorm> {
  static at::Tensor forward(AutogradContext* context, const at::Tensor& x, const at::Tensor& weight,
                            const at::Tensor& bias, double eps) {
    const int64_t width = x.size(-1), rows = x.numel() / width;
    auto y = at::empty(x.sizes(), x.options().dtype(at::kBFloat16));
    auto mean = at::empty({rows}, x.options().requires_grad(false));
    auto inverse_std = at::empty_like(mean);
    at::parallel_for(0, rows, kRows, [&](int64_t begin, int64_t end) {
      BestTransformerKernels().layer_norm(Numbers(x) + begin * width, end - begin, width,
                                          Numbers(weight), Numbers(bias), static_cast<float>(eps),
                                          Bits(y) + begin * width, Numbers(mean) + begin,
                                          Numbers(inverse_std) + begin);
    });
    context->save_for_backward({x, weight, mean, inverse_std});
    return y;
  }

  static variable_list backward(AutogradContext* context, variable_list gradients) {
    RefuseSecondDerivative("thaw::layer_norm_to_bfloat16");
    const auto saved = context->get_saved_variables();
    const auto &x = saved[0], &weight = saved[1], &mean = saved[2], &inverse_std = saved[3];
    const int64_t width = x.size(-1), rows = x.numel() / width;
    const auto g = gradients[0].to(at::kBFloat16).contiguous();
    auto dx = at::empty_like(x);
    // In one piece a thread, added up in order: the same number of threads gives the same bits.
    const int64_t pieces =
        std::max<int64_t>(1, std::min<int64_t>(at::get_num_threads(), rows / kRows));
    auto sums = at::zeros({2, pieces, width}, x.options().dtype(at::kDouble));
    auto* to = sums.data_ptr<double>();
    at::parallel_for(0, pieces, 1, [&](int64_t first, int64_t last) {
      for (int64_t piece = first; piece < last; ++piece) {
        const int64_t begin = rows * piece / pieces, end = rows * (piece + 1) / pieces;
        BestTransformerKernels().layer_norm_backward(
            Bits(g) + begin * width, Numbers(x) + begin * width, Numbers(mean) + begin,
            Numbers(inverse_std) + begin, Numbers(weight), end - begin, width,
            Numbers(dx) + begin * width, to + piece * width, to + (pieces + piece) * width);
      }
    });
    const auto total = sums.sum(1).to(at::kFloat);
    return {dx, total[0], total[1], {}};
  }

 private:
  static constexpr int64_t kRows = 64;
};

struct AttentionShape {
  int64_t batch, tokens, heads, width;  // width of a head

  // Images whose scores stay in the second-level caches while they are worked on.
  int64_t Chunk() const {
    constexpr int64_t kScores = 1 << 20;
    return std::max<int64_t>(1, kScores / (heads * tokens * tokens));
  }
  float Scale() const { return static_cast<float>(1 / std::sqrt(static_cast<double>(width))); }
};

// Between [batch, tokens, parts, heads, width], as a linear layer gives it, and [parts, batch,
// heads, tokens, width], as batched products want it: calls `move(row of the first, row of the
// second)` for each row of a head's width.
template <typename Move>
void ForEachRow(const AttentionShape& shape, int64_t parts, const Move& move) {
  const auto [batch, tokens, heads, width] = shape;
  at::parallel_for(
      0, batch, 1, [&, tokens = tokens, heads = heads, batch = batch](int64_t begin, int64_t end) {
        for (int64_t n = begin; n < end; ++n) {
          for (int64_t part = 0; part < parts; ++part) {
            for (int64_t head = 0; head < heads; ++head) {
              for (int64_t token = 0; token < tokens; ++token) {
                const int64_t together = ((n * tokens + token) * parts + part) * heads + head;
                const int64_t apart = ((part * batch + n) * heads + head) * tokens + token;
                move(together, apart);
              }
            }
          }
        }
      });
}

at::Tensor TakeApart(const at::Tensor& x, const AttentionShape& shape, int64_t parts) {
  const auto [batch, tokens, heads, width] = shape;
  auto y = at::empty({parts, batch * heads, tokens, width}, x.options());
  const auto* from = Bits(x);
  auto* to = Bits(y);
  ForEachRow(shape, parts, [=, width = width](int64_t together, int64_t apart) {
    std::memcpy(to + apart * width, from + together * width, width * sizeof *to);
  });
  return y;
}

at::Tensor PutTogether(const at::Tensor& x, const AttentionShape& shape, int64_t parts) {
  const auto [batch, tokens, heads, width] = shape;
  auto y = at::empty({batch, tokens, parts * heads * width}, x.options());
  const auto* from = Bits(x);
  auto* to = Bits(y);
  ForEachRow(shape, parts, [=, width = width](int64_t together, int64_t apart) {
    std::memcpy(to + together * width, from + apart * width, width * sizeof *to);
  });
  return y;
}

// Calls `body(first, count)` with the batch's matrices, one a head of an image, piece by piece.
template <typename Body>
void ForEachChunk(const AttentionShape& shape, const Body& body) {
  for (int64_t image = 0; image < shape.batch; image += shape.Chunk()) {
    const int64_t images = std::min(shape.Chunk(), shape.batch - image);
    body(image * shape.heads, images * shape.heads);
  }
}

void SoftmaxRows(const at::Tensor& scores, float scale) {
  const int64_t width = scores.size(-1);
  at::parallel_for(0, scores.numel() / width, 16, [&](int64_t begin, int64_t end) {
    BestTransformerKernels().softmax(Bits(scores) + begin * width, end - begin, width, scale);
  });
}

void SoftmaxRowsBackward(const at::Tensor& probabilities, const at::Tensor& gradient, float scale) {
  const int64_t width = gradient.size(-1);
  at::parallel_for(0, gradient.numel() / width, 16, [&](int64_t begin, int64_t end) {
    BestTransformerKernels().softmax_backward(Bits(probabilities) + begin * width,
                                              Bits(gradient) + begin * width, end - begin, width,
                                              scale);
  });
}

struct SelfAttention : torch::autograd::Function<SelfAttention> {
  static at::Tensor forward(AutogradContext* context, const at::Tensor& qkv, int64_t heads,
                            bool learns) {
    const AttentionShape shape{qkv.size(0), qkv.size(1), heads, qkv.size(2) / heads / 3};
    const auto apart = TakeApart(qkv, shape, 3);
    const auto q = apart[0], k = apart[1], v = apart[2];
    auto mixed = at::empty_like(q);
    // Kept for the backward pass; else one chunk's room serves all.
    const int64_t kept = learns ? shape.batch : std::min(shape.Chunk(), shape.batch);
    auto probabilities = at::empty({kept * heads, shape.tokens, shape.tokens}, qkv.options());
    ForEachChunk(shape, [&](int64_t first, int64_t count) {
      auto scores = probabilities.narrow(0, learns ? first : 0, count);
      at::bmm_out(scores, q.narrow(0, first, count), k.narrow(0, first, count).transpose(1, 2));
      SoftmaxRows(scores, shape.Scale());
      auto to = mixed.narrow(0, first, count);
      at::bmm_out(to, scores, v.narrow(0, first, count));
    });
    if (learns) {
      context->save_for_backward({apart, probabilities});
      context->saved_data["heads"] = heads;
    }
    return PutTogether(mixed, shape, 1);
  }

  static variable_list backward(AutogradContext* context, variable_list gradients) {
    RefuseSecondDerivative("thaw::self_attention");
    const auto saved = context->get_saved_variables();
    const auto &apart = saved[0], &probabilities = saved[1];
    const int64_t heads = context->saved_data["heads"].toInt();
    const AttentionShape shape{apart.size(1) / heads, apart.size(2), heads, apart.size(3)};
    const auto q = apart[0], k = apart[1], v = apart[2];
    const auto g = TakeApart(gradients[0].to(at::kBFloat16).contiguous(), shape, 1).squeeze(0);
    auto d = at::empty_like(apart);
    const auto dq = d[0], dk = d[1], dv = d[2];
    const int64_t room = std::min(shape.Chunk(), shape.batch) * heads;
    auto scratch = at::empty({room, shape.tokens, shape.tokens}, apart.options());
    ForEachChunk(shape, [&](int64_t first, int64_t count) {
      const auto part = [&](const at::Tensor& all) { return all.narrow(0, first, count); };
      const auto p = part(probabilities), out = part(g);
      auto to_v = part(dv), to_q = part(dq), to_k = part(dk);
      auto scores = scratch.narrow(0, 0, count);
      at::bmm_out(to_v, p.transpose(1, 2), out);
      at::bmm_out(scores, out, part(v).transpose(1, 2));
      SoftmaxRowsBackward(p, scores, shape.Scale());
      at::bmm_out(to_q, scores, part(k));
      at::bmm_out(to_k, scores.transpose(1, 2), part(q));
    });
    return {PutTogether(d, shape, 3), {}, {}};
  }
};

}  // namespace

#endif

namespace {

at::Tensor GeluOperator(const at::Tensor& x) {
#ifdef THAW_HAS_KERNELS
  if (IsBFloat16(x) && x.is_contiguous()) return Gelu::apply(x, Learns(x));
#endif
  return at::gelu(x);
}

// Layer norm of float32 over the last dimension, rounded to bfloat16.
at::Tensor LayerNormOperator(const at::Tensor& x, const at::Tensor& weight, const at::Tensor& bias,
                             double eps) {
  TORCH_CHECK(x.dim() > 0 && weight.dim() == 1 && weight.size(0) == x.size(-1) &&
                  bias.sizes() == weight.sizes(),
              "wants a weight and a bias for each feature");
#ifdef THAW_HAS_KERNELS
  const auto dense = [](const at::Tensor& tensor) {
    return tensor.is_cpu() && tensor.scalar_type() == at::kFloat && tensor.is_contiguous();
  };
  if (dense(x) && dense(weight) && dense(bias) && x.numel() > 0 && x.size(-1) % kLanes == 0 &&
      x.size(-1) <= kMaxNormWidth) {
    return LayerNorm::apply(x, weight, bias, eps);
  }
#endif
  return at::layer_norm(x, weight.sizes(), weight, bias, eps).to(at::kBFloat16);
}

// qkv [N, tokens, 3 * heads * width] -> [N, tokens, heads * width].
at::Tensor SelfAttentionOperator(const at::Tensor& qkv, int64_t heads) {
  TORCH_CHECK(qkv.dim() == 3 && heads > 0 && qkv.size(2) % (3 * heads) == 0,
              "wants [N, tokens, 3 * heads * width]");
#ifdef THAW_HAS_KERNELS
  if (IsBFloat16(qkv) && qkv.is_contiguous() && qkv.numel() > 0 &&
      qkv.size(1) <= kMaxSoftmaxWidth) {
    return SelfAttention::apply(qkv, heads, Learns(qkv));
  }
#endif
  const int64_t batch = qkv.size(0), tokens = qkv.size(1), width = qkv.size(2) / (3 * heads);
  const auto parts =
      qkv.view({batch, tokens, 3, heads, width}).permute({2, 0, 3, 1, 4}).contiguous().unbind();
  const auto scores = at::matmul(parts[0], parts[1].transpose(-2, -1)) * (1 / std::sqrt(width));
  const auto mixed = at::matmul(at::softmax(scores, -1), parts[2]);
  return mixed.transpose(1, 2).reshape({batch, tokens, heads * width});
}

}  // namespace

TORCH_LIBRARY_FRAGMENT(thaw, library) {
  library.def("fused_gelu(Tensor x) -> Tensor", GeluOperator);
  library.def("layer_norm_to_bfloat16(Tensor x, Tensor weight, Tensor bias, float eps) -> Tensor",
              LayerNormOperator);
  library.def("self_attention(Tensor qkv, int heads) -> Tensor", SelfAttentionOperator);
}

}  // namespace thaw
