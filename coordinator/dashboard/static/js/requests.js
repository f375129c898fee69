// Addresses of this coordinator → JSON, with the token that unsafe requests need.
export function csrfToken() {
  return document.querySelector('meta[name="csrf-token"]')?.content ?? "";
}

/** The JSON of an answer; throws an Error with a sentence for people. */
export async function askJson(address, { method = "GET", body, signal } = {}) {
  const headers = { Accept: "application/json" };
  if (method !== "GET") headers["X-CSRF-Token"] = csrfToken();
  if (body !== undefined) headers["Content-Type"] = "application/json";
  let answer;
  try {
    answer = await fetch(address, {
      method, headers, signal, credentials: "same-origin", redirect: "error",
      body: body === undefined ? undefined : JSON.stringify(body),
    });
  } catch (error) {
    if (error.name === "AbortError") throw error;
    throw new Error("The coordinator cannot be reached.", { cause: error });
  }
  const told = answer.status === 204 ? null : await answer.json().catch(() => null);
  if (!answer.ok) {
    const problem = new Error(told?.detail ?? `The coordinator answered ${answer.status}.`);
    problem.status = answer.status;
    problem.hint = told?.hint ?? "";
    throw problem;
  }
  return told;
}
