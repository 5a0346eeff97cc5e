# SPDX-License-Identifier: Apache-2.0
"""Pictures of pages as small files: at most 256 colours, which is what a page of text and flat surfaces has anyhow."""

import base64
import struct
import zlib

COLOURS = 256
_REDUCE = """
async ([png, colours]) => {
  const blob = await (await fetch("data:image/png;base64," + png)).blob();
  const bitmap = await createImageBitmap(blob, {colorSpaceConversion: "none"});
  const {width, height} = bitmap;
  const context = new OffscreenCanvas(width, height).getContext("2d");
  context.drawImage(bitmap, 0, 0);
  const pixels = context.getImageData(0, 0, width, height).data;
  const counts = new Map();
  for (let at = 0; at < pixels.length; at += 4) {
    const colour = pixels[at] << 16 | pixels[at + 1] << 8 | pixels[at + 2];
    counts.set(colour, (counts.get(colour) || 0) + 1);
  }
  const distance = (a, b) =>
    Math.abs((a >> 16) - (b >> 16)) + Math.abs((a >> 8 & 255) - (b >> 8 & 255)) + Math.abs((a & 255) - (b & 255));
  const byUse = [...counts].sort((a, b) => b[1] - a[1] || a[0] - b[0]).map(([colour]) => colour);
  let palette = byUse;
  // The edges of letters are many colours that nobody tells apart: the more there are, the more of them become one.
  for (let apart = 2; palette.length > colours; apart += 1) {
    palette = [];
    for (const colour of byUse) {
      if (palette.every((one) => distance(one, colour) > apart)) palette.push(colour);
    }
  }
  const nearest = new Map(byUse.map((colour) => {
    let best = 0;
    palette.forEach((one, at) => { if (distance(one, colour) < distance(palette[best], colour)) best = at; });
    return [colour, best];
  }));
  let rows = "";
  for (let y = 0; y < height; y += 1) {
    const row = new Uint8Array(width);
    for (let x = 0; x < width; x += 1) {
      const at = (y * width + x) * 4;
      row[x] = nearest.get(pixels[at] << 16 | pixels[at + 1] << 8 | pixels[at + 2]);
    }
    rows += String.fromCharCode(...row);
  }
  return [width, height, palette, btoa(rows)];
}
"""


def reduced(page, png):
    """Return a picture with at most 256 colours.

    Args:
        page: any page of a browser without a policy for what it fetches, such as `about:blank`; it does the counting.
        png: the picture.
    """
    width, height, palette, rows = page.evaluate(_REDUCE, [base64.b64encode(png).decode(), COLOURS])
    pixels = base64.b64decode(rows)
    lines = b"".join(b"\0" + pixels[start : start + width] for start in range(0, len(pixels), width))
    chunks = (
        (b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 3, 0, 0, 0)),
        (b"PLTE", b"".join(struct.pack(">I", colour)[1:] for colour in palette)),
        (b"IDAT", zlib.compress(lines, 9)),
        (b"IEND", b""),
    )
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data)) for kind, data in chunks
    )
