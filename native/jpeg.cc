// JPEG to RGB by libturbojpeg, where that was there when the addon was compiled. Bytes to bytes:
// what the pixels are for is the caller's business.
#include <napi.h>

#include <cstring>
#include <memory>
#include <stdexcept>
#include <string>
#include <vector>

#include "bytes.h"
#include "errors.h"
#include "modules.h"

#ifdef THAW_TURBOJPEG
#include <turbojpeg.h>
#endif

namespace thaw {

namespace {

#ifdef THAW_TURBOJPEG

// One a thread: its tables and buffers are set up once and not for every image. After an error or a
// warning it is replaced: its state is then not to be relied on.
class Decompressor {
 public:
  ~Decompressor() { Close(); }

  tjhandle Open() {
    if (spoilt_) Close();
    if (handle_ == nullptr) handle_ = tjInitDecompress();
    if (handle_ == nullptr) throw std::runtime_error("libturbojpeg cannot be started");
    spoilt_ = false;
    return handle_;
  }

  // The warning, or an empty text for status 0; an error is thrown.
  std::string Check(int status) {
    if (status == 0) return "";
    spoilt_ = true;
    const std::string message = tjGetErrorStr2(handle_);
    if (tjGetErrorCode(handle_) != TJERR_WARNING) throw std::runtime_error(message);
    return message;
  }

  void Spoil() { spoilt_ = true; }

 private:
  void Close() {
    if (handle_ != nullptr) tjDestroy(handle_);
    handle_ = nullptr;
  }

  tjhandle handle_ = nullptr;
  bool spoilt_ = false;
};

thread_local Decompressor decompressor;

struct Header {
  int width = 0;
  int height = 0;
  int subsampling = -1;
  int space = -1;
};

Header ReadHeader(const Bytes& jpeg) {
  Header header;
  const int status =
      tjDecompressHeader3(decompressor.Open(), jpeg.data, static_cast<unsigned long>(jpeg.size),
                          &header.width, &header.height, &header.subsampling, &header.space);
  const bool known = header.width > 0 && header.height > 0 && header.space >= 0;
  if (status != 0 && known && header.subsampling < 0) {
    // Unusual sampling factors are an error to this function alone: decompression takes them.
    decompressor.Spoil();
  } else {
    decompressor.Check(status);
    if (!known) throw std::runtime_error("the JPEG's header says no size");
  }
  return header;
}

const char* SpaceName(int space) {
  switch (space) {
    case TJCS_GRAY:
      return "L";
    case TJCS_CMYK:
    case TJCS_YCCK:
      return "CMYK";
    default:
      return "RGB";
  }
}

// a * b / 255, rounded, as Pillow's MULDIV255.
inline int MulDiv255(int a, int b) {
  const int product = a * b + 128;
  return ((product >> 8) + product) >> 8;
}

// Adobe's files hold CMYK inverted, and others are not seen: Pillow takes all for such, and so do
// we.
void CmykToRgb(const std::vector<uint8_t>& cmyk, uint8_t* rgb) {
  for (size_t i = 0, n = cmyk.size() / 4; i < n; ++i) {
    const int black = cmyk[i * 4 + 3];
    for (size_t c = 0; c < 3; ++c) {
      const int ink = 255 - cmyk[i * 4 + c];
      const int value = black - MulDiv255(ink, black);
      rgb[i * 3 + c] = static_cast<uint8_t>(value < 0 ? 0 : value);
    }
  }
}

bool IsScaled(int full, int part) {
  for (const int denominator : {1, 2, 4, 8}) {
    if ((full + denominator - 1) / denominator == part) return true;
  }
  return false;
}

// jpegHeader(bytes): {width, height, mode}, mode as Pillow names it.
Napi::Value JpegHeader(const Napi::CallbackInfo& info) {
  return Guarded(info, [&]() -> Napi::Value {
    const Header header = ReadHeader(BytesOf(info[0]));
    auto result = Napi::Object::New(info.Env());
    result.Set("width", header.width);
    result.Set("height", header.height);
    result.Set("mode", SpaceName(header.space));
    return result;
  });
}

// decodeJpeg(bytes, pixels, width, height): RGB into pixels [height, width, 3]. The size is the
// header's, or 1/2, 1/4, 1/8 of it rounded up. Returns libjpeg's first warning, or null.
Napi::Value DecodeJpeg(const Napi::CallbackInfo& info) {
  return Guarded(info, [&]() -> Napi::Value {
    const Bytes jpeg = BytesOf(info[0]);
    const Bytes pixels = BytesOf(info[1]);
    const int width = info[2].As<Napi::Number>().Int32Value();
    const int height = info[3].As<Napi::Number>().Int32Value();
    const Header header = ReadHeader(jpeg);
    if (!IsScaled(header.width, width) || !IsScaled(header.height, height)) {
      throw std::invalid_argument("the JPEG cannot be decoded to this size");
    }
    if (pixels.size != static_cast<size_t>(width) * static_cast<size_t>(height) * 3) {
      throw std::invalid_argument("the pixels' array has another size than the picture");
    }
    // Slow but exact DCT and smooth upsampling, as libjpeg's own defaults; a file of thousands of
    // scans would take minutes.
    const int flags = TJFLAG_ACCURATEDCT | TJFLAG_LIMITSCANS;
    const bool inks = header.space == TJCS_CMYK || header.space == TJCS_YCCK;
    std::vector<uint8_t> cmyk(inks ? pixels.size / 3 * 4 : 0);
    const std::string warning = decompressor.Check(tjDecompress2(
        decompressor.Open(), jpeg.data, static_cast<unsigned long>(jpeg.size),
        inks ? cmyk.data() : pixels.data, width, 0, height, inks ? TJPF_CMYK : TJPF_RGB, flags));
    if (inks) CmykToRgb(cmyk, pixels.data);
    if (warning.empty()) return info.Env().Null();
    return Napi::String::New(info.Env(), warning);
  });
}

#endif

}  // namespace

void InitJpeg([[maybe_unused]] Napi::Env env, [[maybe_unused]] Napi::Object exports) {
#ifdef THAW_TURBOJPEG
  exports.Set("jpegHeader", Napi::Function::New(env, JpegHeader, "jpegHeader"));
  exports.Set("decodeJpeg", Napi::Function::New(env, DecodeJpeg, "decodeJpeg"));
#endif
}

}  // namespace thaw
