// Something that is sent once, and what came back if it was refused.

import { useState } from 'react';
import { asProblem, type Problem } from '~/api/problem';

export function useSaving() {
  const [busy, setBusy] = useState(false);
  const [problem, setProblem] = useState<Problem | null>(null);
  const save = async (act: () => Promise<unknown>) => {
    setBusy(true);
    setProblem(null);
    try {
      await act();
    } catch (fault) {
      setProblem(asProblem(fault));
    } finally {
      setBusy(false);
    }
  };
  return { busy, problem, save };
}
