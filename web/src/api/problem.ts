// What went wrong, in the API's own words. Every error that a person sees is one of these.

export interface Fault {
  pointer: string;
  detail: string;
}

export interface ProblemBody {
  type?: string;
  title?: string;
  status?: number;
  detail?: string;
  code?: string;
  requestId?: string;
  errors?: Fault[];
}

export class Problem extends Error {
  readonly status: number;
  readonly code: string;
  readonly title: string;
  readonly docs: string | null;
  readonly requestId: string | null;
  readonly faults: Fault[];

  constructor(body: ProblemBody, status: number) {
    const title = body.title ?? 'The request failed';
    super(body.detail ?? title);
    this.name = 'Problem';
    this.status = body.status ?? status;
    this.code = body.code ?? 'unknown';
    this.title = title;
    this.docs = typeof body.type === 'string' && /^\/docs\/[a-z0-9/-]+$/.test(body.type) ? body.type : null;
    this.requestId = body.requestId ?? null;
    this.faults = body.errors ?? [];
  }

  /** The faults of one field, such as `/url`; with `below`, those inside it too. */
  at(pointer: string, { below = false } = {}): string[] {
    const fits = (fault: Fault) => fault.pointer === pointer || (below && fault.pointer.startsWith(`${pointer}/`));
    return this.faults.filter(fits).map((fault) => fault.detail);
  }
}

export const unreachable = () =>
  new Problem(
    {
      code: 'unreachable',
      title: 'The server does not answer',
      detail: 'the server cannot be reached: check your connection; what you see may be out of date',
    },
    0,
  );

export function isProblem(error: unknown): error is Problem {
  return error instanceof Problem;
}

export function asProblem(error: unknown): Problem {
  if (isProblem(error)) return error;
  const detail = error instanceof Error ? error.message : String(error);
  return new Problem({ code: 'console-fault', title: 'The console met a fault of its own', detail }, 0);
}

/** As sentences begin with a capital letter in the console and not in the API. */
export function sentence(text: string): string {
  const capital = text.charAt(0).toUpperCase() + text.slice(1);
  return /[.!?…]$/.test(capital) ? capital : `${capital}.`;
}
