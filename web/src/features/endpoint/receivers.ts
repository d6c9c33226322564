// The complete receivers of docs/receivers/authentication.md, so that the console and the page never differ.

export interface Receiver {
  language: string;
  /** How it is run, from the page's own line. */
  run: string | null;
  intro: string;
  code: string;
}

export function receiversOf(page: string): Receiver[] {
  const start = page.indexOf('## Complete receivers');
  const part = page.slice(start, page.indexOf('\n## ', start + 3));
  return part
    .split(/^### /m)
    .slice(1)
    .flatMap((section): Receiver[] => {
      const match = /^(.+)\n([^]*?)```[a-z#+]*\n([^]*?)```/.exec(section);
      if (!match) return [];
      const [, language = '', text = '', code = ''] = match;
      const intro = text.trim().replace(/\s+/g, ' ');
      return [{ language: language.trim(), intro: intro.replaceAll('`', ''), run: /`((?:node|python3|go|php|ruby|java|dotnet|cargo) [^`]+)`/.exec(intro)?.[1] ?? null, code }];
    });
}
