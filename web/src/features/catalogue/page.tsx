export function EventTypePage() { return null; }
