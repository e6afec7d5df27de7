/**
 * KFD's `gfx_target_version`: major * 10000 + minor * 100 + stepping, so 90012 is gfx90c (the stepping is one hexadecimal digit).
 * 0 stands for a node that is no GPU.
 */
export function targetOfVersion(version: number | null): string | null {
  if (version === null || version < 60000 || version > 999999) return null
  const [major, minor, stepping] = [
    Math.floor(version / 10000),
    Math.floor(version / 100) % 100,
    version % 100,
  ]
  if (minor > 15 || stepping > 15) return null
  return `gfx${major}${minor.toString(16)}${stepping.toString(16)}`
}

/**
 * A target as a tool prints it: `gfx1030`, `gfx90a:sramecc+:xnack-`, or `gfx9010`, which is how rocm-smi writes gfx90a, with a
 * decimal stepping.
 */
export function targetOfText(text: string | null): string | null {
  const name = /^gfx([0-9a-f]{3,5})(?::.*)?$/.exec(text?.toLowerCase() ?? "")?.[1]
  if (name === undefined) return null
  const [, minor, stepping] = /^9(\d)(1[0-5])$/.exec(name) ?? []
  return stepping === undefined ? `gfx${name}` : `gfx9${minor}${Number(stepping).toString(16)}`
}
