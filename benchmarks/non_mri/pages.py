"""Rendered text, documents, charts, codes and screens."""

import io
import string
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw, ImageFont

_WORDS = [
    "patient",
    "history",
    "of",
    "the",
    "scan",
    "was",
    "read",
    "by",
    "an",
    "engineer",
    "who",
    "wrote",
    "that",
    "each",
    "report",
    "must",
    "be",
    "kept",
    "for",
    "ten",
    "years",
    "and",
    "that",
    "the",
    "invoice",
    "number",
    "is",
    "due",
    "within",
    "thirty",
    "days",
    "of",
    "delivery",
    "findings",
    "normal",
    "impression",
    "none",
    "dear",
    "colleague",
    "thank",
    "you",
    "for",
    "sending",
    "table",
    "figure",
]


def _font(name, size):
    import matplotlib as mpl

    return ImageFont.truetype(Path(mpl.get_data_path()) / "fonts" / "ttf" / name, size)


def _sentence(rng, n):
    words = [str(word) for word in rng.choice(_WORDS, n)]
    return " ".join([words[0].title(), *words[1:]]) + "."


def text_lines(rng, i):
    """Lines of sans-serif text, dark on light or light on dark."""
    size = int(rng.choice((224, 320, 512)))
    paper, ink = [(255, 0), (0, 255), (230, 40), (30, 200)][i % 4]
    picture = Image.new("L", (size, size), paper)
    draw = ImageDraw.Draw(picture)
    height = int(rng.integers(10, 40))
    font = _font(("DejaVuSans.ttf", "DejaVuSans-Bold.ttf")[i % 2], height)
    for y in range(int(rng.integers(2, 20)), size, int(height * rng.uniform(1.2, 2))):
        draw.text((8, y), _sentence(rng, int(rng.integers(3, 12))), fill=ink, font=font)
        if rng.random() < 0.05:
            break
    return np.asarray(picture)


def caption(rng, i):
    """Write a word or two in the middle of an empty picture."""
    picture = Image.new("L", (256, 256), 255 if i % 2 else 0)
    draw = ImageDraw.Draw(picture)
    font = _font("DejaVuSerif-Bold.ttf", int(rng.integers(14, 60)))
    text = str(rng.choice(("No image", "MRI", "404", "Loading", "A", "?", "R", "Brain 12")))
    draw.text((128, 128), text, fill=0 if i % 2 else 255, font=font, anchor="mm")
    return np.asarray(picture)


def document(rng, i):
    """Draw a page with a title, paragraphs in serif type, a table and perhaps a stamp."""
    width, height = (595, 842) if i % 3 else (842, 595)
    paper = int(rng.integers(225, 256))
    picture = Image.new("L", (width, height), paper)
    draw = ImageDraw.Draw(picture)
    draw.text((60, 40), _sentence(rng, 4), fill=0, font=_font("DejaVuSerif-Bold.ttf", 24))
    font, y = _font(("DejaVuSerif.ttf", "STIXGeneral.ttf")[i % 2], 13), 90
    while y < height * rng.uniform(0.4, 0.9):
        draw.text((60, y), _sentence(rng, 11), fill=20, font=font)
        y += 18 if rng.random() < 0.85 else 40
    for row in range(6 if i % 2 else 0):
        for column in range(4):
            left, top = 60 + column * 110, y + 20 + row * 24
            draw.rectangle((left, top, left + 110, top + 24), outline=60)
            draw.text((left + 6, top + 5), f"{rng.integers(0, 9999)}", fill=0, font=font)
    page = np.asarray(picture)
    if i % 4 == 3:  # photographed under uneven light
        page = (page * np.linspace(0.55, 1, width)).astype(np.uint8)
    return page


def handwriting(rng, i):
    """Strokes of a pen in rows."""
    picture = Image.new("L", (400, 300), 245 if i % 3 else 10)
    draw = ImageDraw.Draw(picture)
    for row in range(30, 290, 40):
        x = np.arange(15, 385, 3)
        y = row + 9 * np.sin(x / rng.uniform(3, 7)) + np.cumsum(rng.normal(0, 1.2, len(x)))
        points = list(zip(x.tolist(), y.tolist(), strict=True))
        draw.line(points, fill=30 if i % 3 else 240, width=int(rng.integers(1, 4)))
    return np.asarray(picture)


def screen(rng, i):
    """Draw a window with a bar, buttons, text and boxes, or a terminal."""
    dark = i % 2
    picture = Image.new("RGB", (640, 400), (30, 32, 40) if dark else (240, 240, 240))
    draw = ImageDraw.Draw(picture)
    font = _font("DejaVuSansMono.ttf", 13)
    ink = (210, 220, 210) if dark else (20, 20, 20)
    draw.rectangle((0, 0, 640, 26), fill=(60, 90, 160))
    draw.text((8, 5), _sentence(rng, 3), fill=(255, 255, 255), font=font)
    for y in range(40, 390, 18):
        n = int(rng.integers(1, 60))
        line = "".join(str(c) for c in rng.choice(list(string.printable[:80] + "    "), n))
        draw.text((8, y), line, fill=ink, font=font)
    for _ in range(int(rng.integers(0, 5))):
        x, y = rng.integers(200, 500), rng.integers(40, 300)
        draw.rectangle((x, y, x + 130, y + 60), fill=tuple(rng.integers(0, 256, 3).tolist()))
    return np.asarray(picture)


def qr_like(rng, i):
    """Modules of a two-dimensional code with its three corners."""
    n = int(rng.choice((21, 25, 29, 33)))
    code = rng.integers(0, 2, (n, n)).astype(np.uint8)
    corner = np.ones((7, 7), np.uint8)
    corner[1:6, 1:6] = 0
    corner[2:5, 2:5] = 1
    for y, x in ((0, 0), (0, n - 7), (n - 7, 0)):
        code[y : y + 7, x : x + 7] = corner
    code = np.pad(code, int(rng.integers(0, 5)))
    whole = np.kron(code, np.ones((8, 8), np.uint8))
    return (255 * (whole if i % 3 == 0 else 1 - whole)).astype(np.uint8)


def barcode(rng, i):
    bars = np.repeat(rng.integers(0, 2, 95), 3)
    page = np.full((240, 340), 255, np.uint8)
    page[30:200, 25 : 25 + len(bars)] = 255 * (1 - bars)
    return page if i % 2 else np.rot90(page).copy()


def line_chart(rng, i):
    def draw(axes):
        for _ in range(int(rng.integers(1, 6))):
            axes.plot(np.cumsum(rng.normal(size=60)), label=_sentence(rng, 1))
        axes.set_title(_sentence(rng, 3))
        axes.legend()

    return _chart(draw, dark=i % 4 == 3)


def other_chart(rng, i):
    def draw(axes):
        if i % 5 == 0:
            axes.bar(np.arange(8), rng.uniform(1, 9, 8))
        elif i % 5 == 1:
            axes.pie(rng.uniform(1, 5, 5))
        elif i % 5 == 2:
            axes.scatter(*rng.normal(size=(2, 150)), c=rng.random(150))
        elif i % 5 == 3:
            axes.imshow(rng.random((9, 9)))
        else:
            grid = np.add.outer(np.sin(np.linspace(0, 6, 50)), np.cos(np.linspace(0, 5, 50)))
            axes.contourf(grid, levels=int(rng.integers(4, 14)))
        axes.set_title(_sentence(rng, 3))

    return _chart(draw, dark=i % 7 == 6)


def _chart(draw, *, dark):
    from matplotlib import style
    from matplotlib.figure import Figure

    with style.context("dark_background" if dark else "default"):
        figure = Figure(figsize=(4, 3.2), dpi=90)
        draw(figure.add_subplot())
        file = io.BytesIO()
        figure.savefig(file, format="png")
    return np.asarray(Image.open(file).convert("RGB"))
