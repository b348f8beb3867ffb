// What a script tells whoever started it, one JSON object a line: {"visit": url} asks for a person with a browser, and
// the next line of standard input is where the browser was led; {"done": {...}} is what came of it all.

import { createInterface } from 'node:readline'

const lines = createInterface({ input: process.stdin })[Symbol.asyncIterator]()

export const given = JSON.parse(process.env.GIVEN)

export async function visit (url) {
  console.log(JSON.stringify({ visit: String(url) }))
  const { value } = await lines.next()
  return new URL(value)
}

export function done (report) {
  console.log(JSON.stringify({ done: report }))
  process.exit(0)
}

// The code of the refusal that `work` ends with; anything else is a failure of the server.
export async function refusal (work) {
  try {
    await work()
  } catch (error) {
    return error.error ?? error.cause?.error ?? error.code ?? String(error)
  }
  return 'accepted'
}
