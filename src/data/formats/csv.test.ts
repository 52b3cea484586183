import { expect, test } from "vitest";
import { csvRows, formatCsv, parseCsv } from "./csv.ts";

const loose = (text: string, delimiter = ",") =>
  [...csvRows(text, "t", { delimiter, isLoose: true })].map(({ line, fields }) => [
    line,
    ...fields,
  ]);

test("lines end with LF, CRLF or CR; blank ones are nothing, and lines are counted all the same", () => {
  expect(loose("a,b\r1,2\r\r3,4\r")).toEqual([
    [1, "a", "b"],
    [2, "1", "2"],
    [4, "3", "4"],
  ]);
  expect(loose("\r\n\na,b\r\n , \n1,2\r\n\r\n").map(([line]) => line)).toEqual([3, 5]);
});

test("blanks around fields and quotes are nothing; those in quotes are kept", () => {
  expect(loose(' a ,\t"b" , " c"\n1, "x ""y"", z" ,\t3 ')).toEqual([
    [1, "a", "b", " c"],
    [2, "1", 'x "y", z', "3"],
  ]);
  expect(loose("a\t b\n1\t\n", "\t")).toEqual([
    [1, "a", "b"],
    [2, "1", ""],
  ]);
});

test("a quoted line break is part of its field, and the lines after it keep their numbers", () => {
  expect(loose('a,b\n"1\r\n2\n3",x\n4,5\n')).toEqual([
    [1, "a", "b"],
    [2, "1\r\n2\n3", "x"],
    [5, "4", "5"],
  ]);
});

test("a quote within a field is a letter, and empty fields at a row's end are nothing", () => {
  expect(loose('path,size\n1.png,5" disk,,\n')).toEqual([
    [1, "path", "size"],
    [2, "1.png", '5" disk'],
  ]);
});

test.each([
  ['a,b\n1,"2\n3,4\n', "t: line 2: a quote is opened here and never closed"],
  ['a,b\n1,"2" x\n', 't: line 2: found "x" where a field should end'],
  ["a,b\n1\n", "t: line 2 has 1 fields, the first row 2"],
  ["a,b\n1,2,3\n", "t: line 2 has 3 fields, the first row 2"],
])("%j is refused with the line", (text, message) => {
  expect(() => loose(text)).toThrow(message);
});

test("a field of 20 MB ends the reading, open quote or not", () => {
  const long = "x".repeat(20 * 2 ** 20);
  for (const text of [`a,b\n1,${long}\n`, `a,b\n1,"${long}"\n`, `a,b\n1,"${'""'.repeat(1e5)}"\n`]) {
    expect(() => loose(text)).toThrow("t: line 2: a field has more than 65536 characters");
    expect(() => parseCsv(text, "t")).toThrow("t: line 2: a field has more than 65536 characters");
  }
  expect(() => loose(`${",".repeat(200_000)}\n`)).toThrow("line 1: has more than 100000 fields");
});

test("what Thaw writes is read back by either reading", () => {
  const rows = [
    ["file", "true"],
    [" outer blanks ", 'a "quoted", name'],
    ["two\nlines", "tab\tin it"],
    ["semi;colon", "ünïcödé"],
  ];
  expect(parseCsv(formatCsv(rows), "t")).toEqual(rows);
  expect(loose(formatCsv(rows)).map(([, ...fields]) => fields)).toEqual(rows);
});
