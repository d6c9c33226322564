// Whether a parent page shows the console inside itself. Said once in the address and kept while the tab lives.

const KEY = 'hoopoe-embed';

let embedded: boolean | null = null;

export function isEmbedded(): boolean {
  embedded ??= decide();
  return embedded;
}

/** After a login link the address says nothing any more; a page in a frame is embedded all the same. */
const isFramed = (wish: string | null) => wish !== '0' && window.self !== window.top;

function decide(): boolean {
  const wish = new URLSearchParams(location.search).get('embed');
  try {
    if (wish === '1') sessionStorage.setItem(KEY, '1');
    if (wish === '0') sessionStorage.removeItem(KEY);
    return sessionStorage.getItem(KEY) === '1' || isFramed(wish);
  } catch {
    // A browser that keeps nothing for embedded pages: the address alone decides, until the page is loaded anew.
    return wish === '1' || isFramed(wish);
  }
}
