// oauth4webapi: the strictest reader of answers there is; every response goes through its validation.

import * as oauth from 'oauth4webapi'
import { done, given, refusal, visit } from './conversation.mjs'

const issuer = new URL(given.issuer)
const as = await oauth.processDiscoveryResponse(issuer, await oauth.discoveryRequest(issuer))
const oauth2 = await oauth.processDiscoveryResponse(issuer, await oauth.discoveryRequest(issuer, { algorithm: 'oauth2' }))
const client = { client_id: given.client_id }
const auth = given.secret ? oauth.ClientSecretPost(given.secret) : oauth.None()

const verifier = oauth.generateRandomCodeVerifier()
const state = oauth.generateRandomState()
const nonce = oauth.generateRandomNonce()
const link = new URL(as.authorization_endpoint)
for (const [name, value] of Object.entries({
  client_id: given.client_id,
  redirect_uri: given.redirect_uri,
  response_type: 'code',
  scope: 'openid email offline_access read',
  code_challenge: await oauth.calculatePKCECodeChallenge(verifier),
  code_challenge_method: 'S256',
  state,
  nonce
})) link.searchParams.set(name, value)

const back = await visit(link)
const parameters = oauth.validateAuthResponse(as, client, back, state)
const exchange = () => oauth.authorizationCodeGrantRequest(as, client, auth, parameters, given.redirect_uri, verifier)
const tokens = await oauth.processAuthorizationCodeResponse(as, client, await exchange(), {
  expectedNonce: nonce, requireIdToken: true
})
const { sub } = oauth.getValidatedIdTokenClaims(tokens)
const userinfo = await oauth.processUserInfoResponse(
  as, client, sub, await oauth.userInfoRequest(as, client, tokens.access_token)
)
const refresh = (token) => oauth.refreshTokenGrantRequest(as, client, auth, token)
const fresh = await oauth.processRefreshTokenResponse(as, client, await refresh(tokens.refresh_token))

// An access token as its resource server reads it (RFC 9068).
const claims = await oauth.validateJwtAccessToken(
  as, new Request('https://api.example/', { headers: { authorization: `Bearer ${fresh.access_token}` } }), given.issuer
)
await oauth.processRevocationResponse(await oauth.revocationRequest(as, client, auth, fresh.refresh_token))
const afterwards = await refusal(async () =>
  oauth.processRefreshTokenResponse(as, client, await refresh(fresh.refresh_token)))

const denied = new URL(link)
denied.searchParams.set('prompt', 'none')
denied.searchParams.set('max_age', '0')
const silent = await visit(denied)

done({
  sub,
  email: userinfo.email,
  same_metadata: JSON.stringify(as) === JSON.stringify(oauth2),
  access_token_sub: claims.sub,
  refresh_after_revocation: afterwards,
  silent: await refusal(() => oauth.validateAuthResponse(as, client, silent, state))
})
