// A browser application on oidc-client-ts, with everything at its defaults that has one. `given` comes from given.js.

const dpop = given.dpop ? { bind_authorization_code: true, store: new oidc.IndexedDbDPoPStore() } : undefined
const manager = new oidc.UserManager({
  authority: given.issuer,
  client_id: given.client_id,
  redirect_uri: `${location.origin}/back`,
  silent_redirect_uri: `${location.origin}/back`,
  post_logout_redirect_uri: `${location.origin}/bye`,
  scope: given.scope,
  userStore: new oidc.WebStorageStateStore({ store: localStorage }),
  loadUserInfo: !dpop, // it would show a bound token as Bearer
  automaticSilentRenew: false,
  dpop
})

const press = (id, action) => { document.getElementById(id).onclick = () => action().catch(report) }
const report = (error) => { document.body.append(String(error)) }
press('log_in', () => manager.signinRedirect({ state: 'a page of mine', nonce: crypto.randomUUID() }))
press('log_in_silently', () => manager.signinRedirect({ prompt: 'none' }))
press('log_out', () => manager.signoutRedirect({ state: 'after' }))

/** What it resolves to, or the error that it is rejected with, as plain data. */
const outcome = (promise) => promise.then(plain, (error) => ({ error: error.error ?? String(error) }))
const plain = (value) => JSON.parse(JSON.stringify(value ?? null))

const who = (user) => user && {
  sub: user.profile.sub,
  email: user.profile.email,
  state: user.state,
  token_type: user.token_type,
  access_token: user.access_token,
  refresh_token: user.refresh_token
}

/** What the address of this page brought. */
const arrived = outcome(
  location.pathname === '/back' ? manager.signinCallback().then(who)
    : location.pathname === '/bye' ? manager.signoutCallback().then((answer) => ({ state: answer.userState }))
      : manager.getUser().then(who)
)

const kept = () => outcome(manager.getUser().then(who))
const renewed = () => outcome(manager.signinSilent().then(who))
const revoked = () => outcome(manager.revokeTokens())

/** As an application calls an interface with its token: with a proof, made again if a nonce is wanted. */
async function userinfo (nonce) {
  const user = await manager.getUser()
  const url = await manager.metadataService.getUserInfoEndpoint()
  const headers = { authorization: `${dpop ? 'DPoP' : 'Bearer'} ${user.access_token}` }
  if (dpop) headers.dpop = await manager.dpopProof(url, user, 'GET', nonce)
  const response = await fetch(url, { headers })
  const wanted = response.headers.get('dpop-nonce')
  if (response.status === 401 && wanted && !nonce) return userinfo(wanted)
  return { status: response.status, body: await response.text().then((text) => JSON.parse(text || 'null')) }
}

/** A token that somebody took: no proof goes with it. */
async function userinfoOfThief () {
  const { access_token: token } = await manager.getUser()
  const url = await manager.metadataService.getUserInfoEndpoint()
  return (await fetch(url, { headers: { authorization: `Bearer ${token}` } })).status
}
