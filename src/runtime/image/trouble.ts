/** A registry did not give what it was asked for. */
export class RegistryTrouble extends Error {
  override readonly name = "RegistryTrouble"
  /** Whether another try may help. */
  readonly mayPass: boolean

  constructor(message: string, mayPass: boolean, cause?: unknown) {
    super(message, { cause })
    this.mayPass = mayPass
  }
}

/** Reads an answer, and no more of it than the limit. @throws RegistryTrouble */
export async function bodyOf({ body }: Response, limitBytes: number): Promise<Buffer> {
  const pieces: Uint8Array[] = []
  let size = 0
  for await (const piece of body ?? []) {
    size += piece.length
    // Leaving the loop ends the connection.
    if (size > limitBytes)
      throw new RegistryTrouble(`the registry's answer is larger than ${limitBytes} bytes`, false)
    pieces.push(piece)
  }
  return Buffer.concat(pieces)
}
