export async function writeCurves(_dir: string): Promise<void> {}
