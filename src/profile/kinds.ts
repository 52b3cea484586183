/** What operators do, by their names; the first that fits. */
const kinds: readonly (readonly [kind: string, name: RegExp])[] = [
  ["batch norm", /batch_?norm/i],
  ["layer norm", /layer_?norm|group_?norm/i],
  ["convolution", /conv(?!ert)/i],
  ["attention", /[Aa]ttention|(?<!log_)softmax|(?<!Log)SoftmaxBackward/],
  ["loss", /nll_?loss|cross_?entropy|log_?softmax/i],
  [
    "matrix product",
    /\b(?:mm|bmm|addmm|baddbmm|addmv|mv|dot|matmul|linear)\b|mkldnn_linear|(?:Mm|Bmm|Addmm)Backward/,
  ],
  ["pooling", /pool|\bmean\b|MeanBackward/],
  [
    "activation",
    /relu|clamp_min|gelu|silu|hardswish|hardsigmoid|hardtanh|sigmoid|threshold|Gelu|Silu/i,
  ],
  ["dropout", /dropout|bernoulli/i],
  [
    "copy",
    /copy|clone|contiguous|\bto\b|_to_cop|fill_|zero|\bcat\b|\bstack\b|index_select|\bpad\b|roll/i,
  ],
  [
    "view",
    /view|reshape|transpose|permute|\bt\b|expand|slice|select|unsqueeze|squeeze|as_strided|detach|alias|flatten|unbind|empty|resize|narrow|split|chunk/i,
  ],
  ["autograd", /^autograd::|AccumulateGrad|Backward\d*$/],
  [
    "elementwise",
    /\b(?:add|sub|mul|div|neg|exp|sqrt|pow|sum|eq|argmax|where|clamp|item|_local_scalar_dense|flip|lerp|addcmul|addcdiv)_?\b/,
  ],
];

/** As "convolution"; `other` where no name fits. */
export function kindOf(operator: string): string {
  return kinds.find(([, name]) => name.test(operator))?.[0] ?? "other";
}
