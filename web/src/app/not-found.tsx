import { ButtonLink } from '~/ui/button';
import { Empty } from '~/ui/notes';

export function NotFound() {
  return (
    <Empty icon="search" title="There is no such page" action={<ButtonLink to="/endpoints">Go to the endpoints</ButtonLink>}>
      The address may be incomplete, or the page has moved.
    </Empty>
  );
}
