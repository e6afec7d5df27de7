import fc from "fast-check"
import { expect, test } from "vitest"
import { isImagePattern, matchesImage } from "../../../../src/runtime/host/rules/image-pattern.ts"
import { imageNamed, MARKET } from "./sample.ts"

const matches = (pattern: string, name: string) => matchesImage(pattern, imageNamed(name), MARKET)

test.each([
  ["market", "team/net", true],
  ["market", `${MARKET}/team/net`, true],
  ["market", "market.example/team/net", false],
  ["market/team/*", "team/net", true],
  ["market/team/*", "team/net/deep", false],
  ["market/team/*", "other/net", false],
  // A repository called `market` is no marketplace.
  ["market/net", "market/net", false],
  ["ghcr.io/acme/*", "ghcr.io/acme/net", true],
  ["ghcr.io/acme/*", "ghcr.io/acme/net/deep", false],
  ["ghcr.io/acme/**", "ghcr.io/acme/net/deep", true],
  ["ghcr.io/acme/*", "ghcr.io/acme", false],
  ["ghcr.io/acme/*", "ghcr.io/acmes/net", false],
  ["ghcr.io/acme/*", "ghcr.io:443/acme/net", false],
  ["ghcr.io/acme/*", "ghcr.io./acme/net", false],
  ["ghcr.io/acme/*", "xghcr.io/acme/net", false],
  ["ghcr.io/acme/*", "ghcr-io.evil.example/acme/net", false],
  ["ghcr.io/acme/*", "evil.example/ghcr.io/acme/net", false],
  ["ghcr.io/acme/*", "ghcr.io/acme/net/ghcr.io/acme/net", false],
  ["ghcr.io/acme/net", "ghcr.io/acme/net", true],
  // A dot is a dot.
  ["ghcr.io/acme/net", "ghcrxio:1/acme/net", false],
  ["*.gcr.io/acme/*", "eu.gcr.io/acme/net", true],
  ["*.gcr.io/acme/*", "gcr.io/acme/net", false],
  ["**", "team/net", true],
  ["**", "ghcr.io/acme/net", true],
  ["*/acme/*", "quay.io/acme/net", true],
  // Not without being named: a neighbour, this machine, a cloud's metadata.
  ["**", "192.168.1.1/acme/net", false],
  ["**", "127.0.0.1:5000/acme/net", false],
  ["**", "169.254.169.254/latest", false],
  ["**", "localhost/acme/net", false],
  ["**", "router:80/acme/net", false],
  ["**", "2130706433:80/acme/net", false],
  ["**", "0x7f.1/acme/net", false],
  ["**", "nas.local/acme/net", false],
  ["**", "metadata.google.internal/acme/net", false],
  ["*/acme/*", "127.0.0.1:5000/acme/net", false],
  ["127.0.0.1:5000/**", "127.0.0.1:5000/acme/net", true],
  ["localhost/**", "localhost/acme/net", true],
])("%s and %s: %s", (pattern, name, expected) => {
  expect(isImagePattern(pattern)).toBe(true)
  expect(matches(pattern, name)).toBe(expected)
})

test.each([
  ["", "nothing"],
  ["*", "a name has two parts at least"],
  ["acme/*", "no host"],
  ["ghcr.io", "a host alone"],
  ["ghcr.io/", "an end without a part"],
  ["ghcr.io//net", "an empty part"],
  ["ghcr.*/acme/net", "ghcr.evil.example would be one"],
  ["ghcr*.io/acme/net", "half a label"],
  ["ghcr.io/acme**", "looks like more than it is"],
  ["ghcr.io/**x/net", "looks like more than it is"],
  ["ghcr.io/***/net", "three stars"],
  ["ghcr.io/{a,b}/net", "braces"],
  ["ghcr.io/[a-z]/net", "a class"],
  ["ghcr.io/ac?e/net", "a question mark"],
  ["!ghcr.io/acme/net", "a negation"],
  ["ghcr.io/+(a)/net", "an extended pattern"],
  ["GHCR.io/acme/net", "capitals"],
  ["ghcr.io/acme/net:latest", "a tag"],
  ["ghcr.io/acme/net@sha256:00", "a digest"],
  ["ghcr.io/acme/n\u0435t", "a Cyrillic е"],
  ["ghcr.io/acme/net\n", "a line end"],
  ["ghcr.io/acme/net\0", "a NUL"],
  ["ghcr.io\u2024com/acme/net", "a one dot leader"],
  [`ghcr.io/${"a".repeat(300)}`, "too long"],
])("%j is no pattern: %s", pattern => {
  expect(isImagePattern(pattern)).toBe(false)
})

const label = fc.stringMatching(/^[a-z0-9]{1,3}$/)
const name = fc
  .tuple(
    fc.constantFrom("ghcr.io", "a.example", "eu.gcr.io"),
    fc.array(label, { minLength: 1, maxLength: 4 }),
  )
  .map(([host, parts]) => [host, ...parts].join("/"))
const part = fc.oneof(
  label,
  fc.constant("*"),
  fc.constant("**"),
  label.map(text => `${text}*`),
  label.map(text => `*${text}`),
)
const pattern = fc
  .tuple(
    fc.constantFrom("ghcr.io", "a.example", "*.gcr.io", "*"),
    fc.array(part, { minLength: 1, maxLength: 4 }),
  )
  .map(([host, parts]) => [host, ...parts].join("/"))

/** What the stars mean, written anew: `*` is any text within one part, `**` any parts, or none. */
function means(pattern: string[], name: string[]): boolean {
  const [first, ...rest] = pattern
  if (first === undefined) return name.length === 0
  if (first === "**")
    return Array.from({ length: name.length + 1 }, (_, skip) => name.slice(skip)).some(left =>
      means(rest, left),
    )
  const [part, ...parts] = name
  if (part === undefined) return false
  const [head = "", tail] = first.split("*")
  const fits =
    tail === undefined
      ? part === first
      : part.startsWith(head) && part.endsWith(tail) && part.length >= head.length + tail.length
  return fits && means(rest, parts)
}

test("a pattern matches what it says and never more", () => {
  fc.assert(
    fc.property(pattern, name, (pattern, name) => {
      fc.pre(isImagePattern(pattern))
      const meant = means(pattern.split("/"), name.split("/"))
      if (matches(pattern, name)) expect(meant, `${pattern} ${name}`).toBe(true)
      // Two stars at the end need something to stand for.
      else if (!pattern.endsWith("/**")) expect(meant, `${pattern} ${name}`).toBe(false)
    }),
    { numRuns: 3000 },
  )
})
