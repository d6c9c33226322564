import { Trail } from '~/app/layout';
import { ButtonLink } from '~/ui/button';
import { Page } from '~/ui/page';

export function NotFound() {
  return (
    <Page title="There is no such page" top={<Trail here="Not found" />} intro="The address may be incomplete, or the page has moved.">
      <div>
        <ButtonLink to="/endpoints">Go to the endpoints</ButtonLink>
      </div>
    </Page>
  );
}
