/**
 * Two additions to the schema generator. An `any` or `unknown` that somebody wrote is marked, so that an empty schema
 * without the mark is known to be a type that got lost on the way. And types that would come out as something they are
 * not (a Map as `{size}`, a bigint as a number) are refused.
 */
import { AnnotatedType, AnyType, StringType, type BaseType, type SubNodeParser } from "ts-json-schema-generator";
import { typescript, type TypeScript } from "./_typescript.ts";

export const WRITTEN_ANY = "switchyard:any";
/** A Date: text in JSON, so that a handler whose input says Date gets a string. */
export const WRITTEN_DATE = "switchyard:date";

/** Thrown where a type has no JSON form; caught where the annotation's place is known. */
export class NoJsonForm extends Error {}

export class MarkedParser implements SubNodeParser {
  readonly #program: TypeScript.Program;

  constructor(program: TypeScript.Program) {
    this.#program = program;
  }

  supportsNode(node: TypeScript.Node): boolean {
    const refusal = this.#refusal(node);
    if (refusal !== undefined) throw new NoJsonForm(refusal);
    const { SyntaxKind } = typescript();
    if (isDate(node)) return true;
    return (node.kind === SyntaxKind.AnyKeyword || node.kind === SyntaxKind.UnknownKeyword) && !this.#fromLibrary(node);
  }

  createType(node: TypeScript.Node): BaseType {
    if (isDate(node)) {
      return new AnnotatedType(new StringType(), { format: "date-time", $comment: WRITTEN_DATE }, false);
    }
    return new AnnotatedType(new AnyType(), { $comment: WRITTEN_ANY }, false);
  }

  #fromLibrary(node: TypeScript.Node): boolean {
    return this.#program.isSourceFileDefaultLibrary(node.getSourceFile());
  }

  #refusal(node: TypeScript.Node): string | undefined {
    const ts = typescript();
    if (node.kind === ts.SyntaxKind.BigIntKeyword) return "JSON has no bigint; use a number, or a string of digits";
    if (node.kind === ts.SyntaxKind.SymbolKeyword) return "JSON has no symbols";
    if (node.kind === ts.SyntaxKind.VoidKeyword) return "nothing is not a JSON value; answer null";
    if (ts.isInterfaceDeclaration(node) || ts.isClassDeclaration(node)) {
      const name = node.name?.text ?? "the class";
      const method = node.members.find((member) => ts.isMethodSignature(member) || ts.isMethodDeclaration(member));
      if (method !== undefined && !/^(?:Array|ReadonlyArray|Date|Promise|PromiseLike)$/.test(name)) {
        return `${name} has methods (${method.name?.getText() ?? "…"}), which do not survive as JSON; use a plain object or an array`;
      }
    }
    if (ts.isTypeReferenceNode(node) && /^(?:RegExp|URL)$/.test(node.typeName.getText())) {
      return `a ${node.typeName.getText()} arrives as a string; write string`;
    }
    return undefined;
  }
}

function isDate(node: TypeScript.Node): boolean {
  return typescript().isTypeReferenceNode(node) && node.typeName.getText() === "Date";
}
