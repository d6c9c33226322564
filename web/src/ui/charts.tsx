// Bars and lines by hand: small, drawn on the page's own colours, each with its numbers as a table for who cannot see it.

import { useLayoutEffect, useRef, useState, type CSSProperties, type ReactNode } from 'react';
import { Disclosure } from './disclosure';
import { count } from './format';

export interface Series {
  key: string;
  label: string;
  colour: string;
  /** For lines: so that they are told apart without colour. */
  dash?: string;
}

export interface Point {
  at: string;
  values: Record<string, number | null>;
}

interface ChartProps {
  label: string;
  series: Series[];
  points: Point[];
  kind: 'bars' | 'lines';
  format?: (value: number) => string;
  height?: number;
}

/** Of a label's share of the width, what the last one needs to its right. */
const LABEL_ROOM = 0.6;
const FIRST_WIDTH = 480;
const LEFT = 52;
const BOTTOM = 22;
const TOP = 8;

export function Chart({ label, series, points, kind, format = count, height = 180 }: ChartProps) {
  const [hovered, setHovered] = useState<number | null>(null);
  const { ref, width } = useWidth();
  const used = series.filter(({ key }) => points.some((point) => (point.values[key] ?? 0) > 0));
  const shown = used.length ? used : series.slice(0, 1);
  const totals = points.map((point) => {
    const values = shown.map(({ key }) => point.values[key] ?? 0);
    return kind === 'bars' ? values.reduce((sum, value) => sum + value, 0) : Math.max(0, ...values);
  });
  const { top, ticks } = scale(Math.max(...totals, 0), kind === 'bars' ? 1 : 0);
  const x = (index: number) => LEFT + (index / Math.max(points.length, 1)) * (width - LEFT);
  const step = (width - LEFT) / Math.max(points.length, 1);
  const y = (value: number) => TOP + (1 - value / top) * (height - TOP - BOTTOM);
  const point = hovered === null ? undefined : points[hovered];
  return (
    <figure className="flex flex-col gap-2">
      <div ref={ref} className="relative">
        <svg
          viewBox={`0 0 ${width} ${height}`}
          role="img"
          aria-label={`${label}. The numbers are in the table below.`}
          className="block w-full overflow-visible"
          onPointerLeave={() => setHovered(null)}
          onPointerMove={(event) => {
            const box = event.currentTarget.getBoundingClientRect();
            const index = Math.floor((((event.clientX - box.left) / box.width) * width - LEFT) / step);
            setHovered(index >= 0 && index < points.length ? index : null);
          }}
        >
          <Axes points={points} ticks={ticks} format={format} x={x} y={y} width={width} height={height} />
          {hovered !== null && <rect x={x(hovered)} y={TOP} width={step} height={height - TOP - BOTTOM} fill="var(--sunk)" />}
          {kind === 'bars' ? (
            <Bars points={points} series={shown} x={x} y={y} step={step} />
          ) : (
            <Lines points={points} series={shown} x={(index) => x(index) + step / 2} y={y} />
          )}
        </svg>
        {point && (
          <Tip point={point} series={shown} format={format} style={hovered! < points.length / 2 ? { right: 0 } : { left: `${(LEFT / width) * 100}%` }} />
        )}
      </div>
      <Legend series={shown} kind={kind} />
      <NumbersTable label={label} series={shown} points={points} format={format} />
    </figure>
  );
}

function Axes({ points, ticks, format, x, y, width, height }: {
  points: Point[];
  ticks: number[];
  format: (value: number) => string;
  x: (index: number) => number;
  y: (value: number) => number;
  width: number;
  height: number;
}) {
  const labels = Math.floor((width - LEFT) / (isLong(points) ? 96 : 52));
  return (
    <>
      {ticks.map((tick) => (
        <g key={tick}>
          <line x1={LEFT} x2={width} y1={y(tick)} y2={y(tick)} stroke="var(--line)" />
          <text x={LEFT - 8} y={y(tick) + 4} textAnchor="end" fontSize="11" fill="var(--faint)">
            {format(tick)}
          </text>
        </g>
      ))}
      {axisTimes(points, labels).map(([index, text]) => (
        <text key={index} x={x(index)} y={height - 5} fontSize="11" fill="var(--faint)">
          {text}
        </text>
      ))}
    </>
  );
}

/** The numbers under the pointer. */
function Tip({ point, series, format, style }: { point: Point; series: Series[]; format: (value: number) => string; style: CSSProperties }) {
  return (
    <div className="pointer-events-none absolute top-0 z-10 rounded-md border border-line bg-raised px-2 py-1.5 text-xs shadow-raised" style={style}>
      <p className="font-semibold">{axisLabel(point.at, true)}</p>
      {series.map(({ key, label, colour }) => (
        <p key={key} className="flex items-center gap-1.5">
          <i className="size-2 rounded-[2px]" style={{ background: colour }} />
          {label} {point.values[key] == null ? '–' : format(point.values[key])}
        </p>
      ))}
    </div>
  );
}

function Legend({ series, kind }: Pick<ChartProps, 'series' | 'kind'>) {
  return (
    <figcaption className="flex flex-wrap items-center gap-x-4 gap-y-1 text-xs text-soft">
      {series.map(({ key, label, colour, dash }) => (
        <span key={key} className="inline-flex items-center gap-1.5">
          {kind === 'bars' ? (
            <i className="size-2.5 rounded-[2px]" style={{ background: colour }} />
          ) : (
            <svg width="18" height="6" aria-hidden="true">
              <line x1="0" x2="18" y1="3" y2="3" stroke={colour} strokeWidth="2" strokeDasharray={dash} />
            </svg>
          )}
          {label}
        </span>
      ))}
    </figcaption>
  );
}

/** Drawn in the page's own pixels, so that its text is as large as any other. */
function useWidth() {
  const ref = useRef<HTMLDivElement>(null);
  const [width, setWidth] = useState(FIRST_WIDTH);
  useLayoutEffect(() => {
    const element = ref.current;
    if (!element) return;
    const observer = new ResizeObserver(() => setWidth(Math.max(element.clientWidth, 200)));
    observer.observe(element);
    return () => observer.disconnect();
  }, []);
  return { ref, width };
}

interface Marks {
  points: Point[];
  series: Series[];
  x: (index: number) => number;
  y: (value: number) => number;
}

function Bars({ points, series, x, y, step }: Marks & { step: number }) {
  const width = Math.max(step - Math.min(2, step / 4), 1);
  return points.map((point, index) => {
    let below = 0;
    return series.map(({ key, colour }) => {
      const value = point.values[key] ?? 0;
      if (value <= 0) return null;
      const from = y(below);
      below += value;
      // A single failure among thousands is still to be seen.
      const height = Math.max(from - y(below), 1.5);
      return <rect key={`${key}${index}`} x={x(index) + (step - width) / 2} y={from - height} width={width} height={height} rx="1" fill={colour} />;
    });
  });
}

function Lines({ points, series, x, y }: Marks) {
  return series.map(({ key, colour, dash }) => {
    let path = '';
    let isDown = false;
    const alone: [number, number][] = [];
    points.forEach((point, index) => {
      const value = point.values[key];
      if (value == null) {
        isDown = false;
        return;
      }
      if (points[index + 1]?.values[key] == null && !isDown) alone.push([x(index), y(value)]);
      path += `${isDown ? 'L' : 'M'}${x(index).toFixed(1)} ${y(value).toFixed(1)}`;
      isDown = true;
    });
    return (
      <g key={key}>
        <path d={path} fill="none" stroke={colour} strokeWidth="2" strokeDasharray={dash} strokeLinecap="round" strokeLinejoin="round" />
        {alone.map(([cx, cy]) => (
          <circle key={cx} cx={cx} cy={cy} r="3" fill={colour} />
        ))}
      </g>
    );
  });
}

function NumbersTable({ label, series, points, format }: { label: string; series: Series[]; points: Point[]; format: (value: number) => string }) {
  const filled = points.filter((point) => series.some(({ key }) => (point.values[key] ?? 0) > 0));
  return (
    <Disclosure className="text-xs text-soft" head="Numbers as a table" headClassName="h-6 hover:text-ink">
      <div className="mt-1 max-h-56 overflow-auto" tabIndex={0} role="region" aria-label={`${label}: numbers`}>
        <table className="w-full border-collapse text-left">
          <caption className="sr-only">{label}</caption>
          <thead>
            <tr>
              <th scope="col" className="py-1 pr-3 font-semibold">From</th>
              {series.map(({ key, label: name }) => (
                <th key={key} scope="col" className="py-1 pr-3 text-right font-semibold">{name}</th>
              ))}
            </tr>
          </thead>
          <tbody>
            {filled.map((point) => (
              <tr key={point.at} className="border-t border-line">
                <th scope="row" className="py-1 pr-3 font-normal">{axisLabel(point.at, true)}</th>
                {series.map(({ key }) => (
                  <td key={key} className="py-1 pr-3 text-right">{point.values[key] == null ? '–' : format(point.values[key])}</td>
                ))}
              </tr>
            ))}
          </tbody>
        </table>
        {filled.length === 0 && <p>Nothing in this time.</p>}
      </div>
    </Disclosure>
  );
}

/** Round ticks from 0 to at least `value`; with `stepMin` in whole steps of at least that: there is no half attempt. */
export function scale(value: number, stepMin = 0): { top: number; ticks: number[] } {
  if (value <= 0) return { top: 1, ticks: [0] };
  const power = 10 ** Math.floor(Math.log10(value));
  const step = [0.5, 1, 2, 2.5, 5].map((times) => times * power).find((size) => size >= stepMin && (stepMin === 0 || Number.isInteger(size)) && value / size <= 4) ?? Math.max(power * 5, stepMin);
  const ticks: number[] = [];
  for (let tick = 0; tick < value + step; tick += step) ticks.push(Number(tick.toPrecision(6)));
  return { top: ticks.at(-1)!, ticks };
}

const MINUTE = 60_000;
const STEPS = [1, 2, 5, 10, 15, 30, 60, 120, 180, 240, 360, 480, 720, 1_440, 2_880, 4_320, 7_200, 14_400].map((minutes) => minutes * MINUTE);

/** Labels at round moments of the reader's clock, at most so many. */
export function axisTimes(points: Point[], labels: number): [number, string][] {
  const times = points.map(({ at }) => Date.parse(at));
  const bucket = (times.at(-1)! - times[0]!) / Math.max(times.length - 1, 1);
  const whole = bucket * times.length;
  const step = STEPS.find((size) => size >= bucket && whole / size <= Math.max(labels, 1)) ?? whole;
  const offset = new Date(times[0] ?? 0).getTimezoneOffset() * MINUTE;
  const turn = (time: number) => Math.floor((time - offset) / step);
  const last = times.length - (times.length / Math.max(labels, 1)) * LABEL_ROOM;
  return times.flatMap((time, index): [number, string][] =>
    index <= last && turn(time) !== turn(index > 0 ? times[index - 1]! : time - bucket) ? [[index, axisLabel(points[index]!.at, isLong(points))]] : [],
  );
}

const isLong = (points: Point[]) => Date.parse(points.at(-1)?.at ?? '') - Date.parse(points[0]?.at ?? '') > 86_400_000 * 1.2;

const hour = new Intl.DateTimeFormat('en-GB', { hour: '2-digit', minute: '2-digit', hourCycle: 'h23' });
const day = new Intl.DateTimeFormat('en-GB', { day: 'numeric', month: 'short' });

function axisLabel(at: string, withDay: boolean): string {
  const time = new Date(at);
  return withDay ? `${day.format(time)} ${hour.format(time)}` : hour.format(time);
}

/** A row's day at a glance. The words beside it carry what it says. */
const SPARK_BARS = 24;

export function Sparkline({ points: all }: { points: { good: number; bad: number }[] }) {
  const points = fewer(all, SPARK_BARS);
  const top = Math.max(1, ...points.map(({ good, bad }) => good + bad));
  const width = 72 / Math.max(points.length, 1);
  return (
    <svg viewBox="0 0 72 20" className="h-5 w-18 shrink-0" aria-hidden="true">
      <line x1="0" x2="72" y1="19.5" y2="19.5" stroke="var(--line)" />
      {points.map(({ good, bad }, index) => {
        if (good + bad === 0) return null;
        const height = Math.max(((good + bad) / top) * 18, 2);
        const failed = (bad / (good + bad)) * height;
        return (
          <g key={index}>
            <rect x={index * width + 0.4} width={width - 0.8} y={19 - height} height={height - failed} fill="var(--ok-mark)" />
            <rect x={index * width + 0.4} width={width - 0.8} y={19 - failed} height={failed} fill="var(--bad-mark)" />
          </g>
        );
      })}
    </svg>
  );
}

function fewer(points: { good: number; bad: number }[], wish: number) {
  const each = Math.ceil(points.length / wish);
  if (each <= 1) return points;
  return Array.from({ length: Math.ceil(points.length / each) }, (_, index) => {
    const part = points.slice(index * each, (index + 1) * each);
    return { good: part.reduce((sum, { good }) => sum + good, 0), bad: part.reduce((sum, { bad }) => sum + bad, 0) };
  });
}

export function Stat({ label, value, note }: { label: string; value: ReactNode; note?: ReactNode }) {
  return (
    <div className="min-w-0">
      <dt className="text-xs font-semibold text-soft">{label}</dt>
      <dd className="mt-0.5 text-xl font-semibold tracking-[-0.01em]">{value}</dd>
      {note && <dd className="text-xs text-soft">{note}</dd>}
    </div>
  );
}
