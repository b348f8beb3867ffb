// An API with one protected route: `ISSUER=http://127.0.0.1:8000 AUDIENCE=... node examples/express.mjs`
import express from 'express';
import { Verifier } from 'authserver-verifier';

const { ISSUER, AUDIENCE, CLIENT_ID, CLIENT_SECRET, PORT = '9000' } = process.env;
const verifier = new Verifier({
  issuer: ISSUER,
  audience: AUDIENCE,
  clientId: CLIENT_ID, // only to ask the issuer when it cannot be followed
  clientSecret: CLIENT_SECRET,
  onProblem: (error) => console.warn(error.message),
}).start();

const app = express();
app.get('/notes', verifier.requireToken({ scope: 'read' }), (request, response) => {
  response.json({ owner: request.token.subject, notes: ['buy milk'] });
});
const server = app.listen(Number(PORT), '127.0.0.1', () => console.log(`http://127.0.0.1:${server.address().port}`));
