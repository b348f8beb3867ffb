// openid-client: log-in, userinfo, refresh, introspection, revocation, log-out, and refusals; over PAR and DPoP if asked.

import * as oidc from 'openid-client'
import { done, given, refusal, visit } from './conversation.mjs'

const secret = given.secret || undefined
const method = given.secret ? oidc[given.method ?? 'ClientSecretBasic'](secret) : oidc.None()
const config = await oidc.discovery(new URL(given.issuer), given.client_id, secret, method)
const DPoP = given.dpop ? oidc.getDPoPHandle(config, await oidc.randomDPoPKeyPair()) : undefined

const verifier = oidc.randomPKCECodeVerifier()
const state = oidc.randomState()
const nonce = oidc.randomNonce()
const asked = {
  redirect_uri: given.redirect_uri,
  scope: 'openid profile email offline_access read',
  code_challenge: await oidc.calculatePKCECodeChallenge(verifier),
  code_challenge_method: 'S256',
  state,
  nonce
}
const link = given.par
  ? await oidc.buildAuthorizationUrlWithPAR(config, asked, { DPoP })
  : oidc.buildAuthorizationUrl(config, asked)

const back = await visit(link)
const checks = { pkceCodeVerifier: verifier, expectedState: state, expectedNonce: nonce }
const tokens = await oidc.authorizationCodeGrant(config, back, checks, undefined, { DPoP })
const { sub } = tokens.claims()
const userinfo = await oidc.fetchUserInfo(config, tokens.access_token, sub, { DPoP })
const fresh = await oidc.refreshTokenGrant(config, tokens.refresh_token, undefined, { DPoP })

const again = await refusal(() => oidc.authorizationCodeGrant(config, back, checks, undefined, { DPoP }))
const afterwards = await refusal(() => oidc.refreshTokenGrant(config, fresh.refresh_token, undefined, { DPoP }))

const bye = await visit(oidc.buildEndSessionUrl(config, {
  post_logout_redirect_uri: given.post_logout_redirect_uri,
  id_token_hint: tokens.id_token,
  state: 'after'
}))

done({
  sub,
  email: userinfo.email,
  token_type: tokens.token_type,
  rotated: fresh.refresh_token !== tokens.refresh_token,
  same_user: fresh.claims().sub === sub,
  code_again: again,
  refresh_after_replay: afterwards,
  bye: String(bye)
})
