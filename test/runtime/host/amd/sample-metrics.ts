/** `gpu_metrics` v1.3 as Linux lays it out, of a card that tells this throttle status and of all else nothing. */
export function metricsV1_3(indepThrottleStatus: bigint): Uint8Array {
  const bytes = new Uint8Array(120).fill(0xff)
  const view = new DataView(bytes.buffer)
  view.setUint16(0, 120, true)
  view.setUint8(2, 1)
  view.setUint8(3, 3)
  view.setBigUint64(112, indepThrottleStatus, true)
  return bytes
}
