// Reads a Server-Sent Events stream (WHATWG HTML, section 9.2) from chunks of text.

export interface ServerSentEvent {
  id: string | null;
  event: string;
  data: string;
}

export class EventStreamParser {
  #rest = '';
  #id: string | null = null;
  #event = '';
  #data: string[] = [];

  /** Where to go on, also if it came without an event. */
  get lastId(): string | null {
    return this.#id;
  }

  /** The events that this chunk completes. */
  push(chunk: string): ServerSentEvent[] {
    const found: ServerSentEvent[] = [];
    const text = this.#rest + chunk;
    const held = text.endsWith('\r') ? text.slice(0, -1) : text;
    const lines = held.split(/\r\n|\n|\r/);
    this.#rest = (lines.pop() ?? '') + text.slice(held.length);
    for (const line of lines) {
      const event = this.#line(line);
      if (event) found.push(event);
    }
    return found;
  }

  #line(line: string): ServerSentEvent | null {
    if (line === '') return this.#dispatch();
    if (line.startsWith(':')) return null;
    const colon = line.indexOf(':');
    const field = colon < 0 ? line : line.slice(0, colon);
    const value = colon < 0 ? '' : line.slice(colon + 1).replace(/^ /, '');
    if (field === 'event') this.#event = value;
    if (field === 'data') this.#data.push(value);
    if (field === 'id' && !value.includes('\0')) this.#id = value;
    return null;
  }

  #dispatch(): ServerSentEvent | null {
    const complete = this.#data.length > 0;
    const event = { id: this.#id, event: this.#event || 'message', data: this.#data.join('\n') };
    this.#event = '';
    this.#data = [];
    return complete ? event : null;
  }
}
