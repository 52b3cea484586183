/**
 * Colours that people with colour-blindness tell apart, in an order that keeps neighbours distinct. (Okabe & Ito 2008)
 * Their yellow is left out: it cannot be read on white.
 */
export const palette = ["#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9"] as const;

export const dashes = ["solid", "dashed", "dotted"] as const;

/** Colour and dash of the n-th of many lines: no two of the first eighteen look alike. */
export function lineLook(n: number): {
  readonly color: string;
  readonly dash: (typeof dashes)[number];
} {
  return {
    color: palette[n % palette.length]!,
    dash: dashes[Math.floor(n / palette.length) % dashes.length]!,
  };
}

/** Colours that stand for a role: `themed` replaces them by the page's own, so that a plot follows light and dark. */
export const roles = {
  ink: "#1b1f24",
  muted: "#57606b",
  grid: "#d8dee5",
  paper: "#fefefe",
} as const;

export const fontFamily = "DejaVu Sans, Verdana, Helvetica, Arial, sans-serif";

/** The SVG with the page's CSS variables (`--ink`, `--muted`, `--grid`, `--paper`) in place of the roles' colours. */
export function themed(svg: string): string {
  return Object.entries(roles).reduce(
    (text, [role, color]) => text.replaceAll(`"${color}"`, `"var(--${role})"`),
    svg,
  );
}

/** Room a text takes in DejaVu Sans, in pixels: without a browser nothing measures it, and labels would be cut. */
export function textWidth(text: string, fontSize: number): number {
  let ems = 0;
  for (const character of text) {
    if (/[ijlI.,:;'|!()[\] ]/.test(character)) ems += 0.35;
    else if (/[mwMW%@—…]/.test(character)) ems += 0.95;
    else if (character.codePointAt(0)! >= 0x2e80) ems += 1;
    else if (/\p{Lu}/u.test(character)) ems += 0.7;
    else ems += 0.62;
  }
  return ems * fontSize;
}

/** Cut to a number of characters; the middle goes, because names of runs and classes differ at their ends. */
export function shorten(text: string, length: number): string {
  const characters = [...text];
  if (characters.length <= length) return text;
  const head = Math.ceil((length - 1) / 2);
  const tail = length - 1 - head;
  return `${characters.slice(0, head).join("")}…${characters.slice(-tail).join("")}`;
}
