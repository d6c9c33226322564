// The platform's own colour, made readable on both grounds whatever it is.

interface Rgb {
  r: number;
  g: number;
  b: number;
}

const GROUNDS = { light: '#ffffff', dark: '#151c1b' };
/** WCAG 2.2, 1.4.3 for text, with a little to spare for soft grounds. */
const CONTRAST_MIN = 5;

export interface Accent {
  accent: string;
  ink: string;
  onAccent: string;
}

export function accentFor(hex: string, ground: keyof typeof GROUNDS): Accent | null {
  const own = parse(hex);
  if (!own) return null;
  const against = parse(GROUNDS[ground])!;
  const toward = ground === 'light' ? { r: 0, g: 0, b: 0 } : { r: 255, g: 255, b: 255 };
  let readable = own;
  for (let part = 0; part <= 1 && contrast(readable, against) < CONTRAST_MIN; part += 0.04) readable = mix(own, toward, part);
  const white = { r: 255, g: 255, b: 255 };
  // Of black and white one always has 4.58 or more: no other pair does.
  const black = { r: 0, g: 0, b: 0 };
  const onAccent = contrast(own, white) >= contrast(own, black) ? white : black;
  return { accent: text(own), ink: text(readable), onAccent: text(onAccent) };
}

export function applyAccent(hex: string | null, root: HTMLElement) {
  const isDark = matchMedia('(prefers-color-scheme: dark)');
  const apply = () => {
    const accent = hex ? accentFor(hex, isDark.matches ? 'dark' : 'light') : null;
    if (!accent) return;
    root.style.setProperty('--accent', accent.accent);
    root.style.setProperty('--accent-ink', accent.ink);
    root.style.setProperty('--on-accent', accent.onAccent);
    root.style.setProperty('--accent-soft', `color-mix(in oklab, ${accent.accent} 14%, var(--surface))`);
  };
  apply();
  isDark.addEventListener('change', apply);
  return () => isDark.removeEventListener('change', apply);
}

export function contrast(a: Rgb, b: Rgb): number {
  const [light, dark] = [luminance(a), luminance(b)].sort((one, other) => other - one) as [number, number];
  return (light + 0.05) / (dark + 0.05);
}

function luminance({ r, g, b }: Rgb): number {
  const [lr, lg, lb] = [r, g, b].map((part) => {
    const value = part / 255;
    return value <= 0.04045 ? value / 12.92 : ((value + 0.055) / 1.055) ** 2.4;
  }) as [number, number, number];
  return 0.2126 * lr + 0.7152 * lg + 0.0722 * lb;
}

function mix(a: Rgb, b: Rgb, part: number): Rgb {
  const between = (from: number, to: number) => Math.round(from + (to - from) * part);
  return { r: between(a.r, b.r), g: between(a.g, b.g), b: between(a.b, b.b) };
}

export function parse(hex: string): Rgb | null {
  const match = /^#([0-9a-f]{2})([0-9a-f]{2})([0-9a-f]{2})$/i.exec(hex);
  if (!match) return null;
  const [r, g, b] = match.slice(1).map((part) => Number.parseInt(part, 16)) as [number, number, number];
  return { r, g, b };
}

const text = ({ r, g, b }: Rgb) => `#${[r, g, b].map((part) => part.toString(16).padStart(2, '0')).join('')}`;
