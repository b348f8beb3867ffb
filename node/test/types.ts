// Compiled, never run: what users write must have types.
import { acceptUntil, Refusal, Verifier, type VerifiedToken } from 'authserver-verifier';

const verifier = new Verifier({
  issuer: 'https://auth.example.com',
  audience: ['https://api.example.com'],
  onStale: acceptUntil(60),
}).start();

export async function subject(text: string): Promise<string> {
  try {
    const token: VerifiedToken = await verifier.verify(text, { scope: 'read', maxStaleness: 1, onStale: 'deny' });
    return token.subject;
  } catch (error) {
    if (error instanceof Refusal && error.code === 'expired') return error.wwwAuthenticate({ realm: 'api' }) ?? '';
    throw error;
  }
}

// @ts-expect-error - an audience is needed
export const unfinished = new Verifier({ issuer: 'https://auth.example.com' });
// @ts-expect-error - no such policy
export const misspelt = new Verifier({ issuer: 'https://a.example', audience: 'x', onStale: 'accept' });
