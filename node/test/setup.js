/** A verifier of a fake issuer, whose clocks a test can move; everything ends with the test. */
import { setTimeout as sleep } from 'node:timers/promises';
import { Verifier } from '../src/index.js';
import { AUDIENCE, FakeIssuer } from './fake.js';

export async function setUp(test, options = {}, prepare = () => {}) {
  const issuer = new FakeIssuer();
  const time = { ahead: 0, wall: 0 };
  const problems = [];
  await prepare(issuer);
  await issuer.start();
  const verifier = new Verifier({
    issuer: issuer.issuer,
    audience: AUDIENCE,
    onStale: 'deny',
    clock: () => performance.now() + time.ahead,
    wall: () => Date.now() + time.wall,
    onProblem: (error) => problems.push(error.message),
    ...options,
  }).start();
  test.after(async () => {
    await verifier.close();
    await issuer.stop();
  });
  return { issuer, verifier, time, problems };
}

/** The code of the refusal, or 'accepted'. */
export const verdict = (verifier, token, options) =>
  verifier.verify(token, options).then(() => 'accepted', (error) => error.code ?? error);

export async function until(condition, what, seconds = 5) {
  for (const end = performance.now() + seconds * 1000; ; await sleep(5)) {
    if (await condition()) return;
    if (performance.now() > end) throw new Error(`not in time: ${what ?? condition}`);
  }
}
