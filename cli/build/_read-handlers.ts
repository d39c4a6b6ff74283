/**
 * Which of a file's exports are handlers, and which type annotations they carry. Follows re-exports to the file that
 * declares the handler, because an annotation means what it means there.
 */
import path from "node:path";
import { snakeCase } from "./snake-case.ts";
import { typescript, type TypeScript } from "./_typescript.ts";

/** An annotation as written, `Promise<…>` taken off. */
export type Annotation = {
  text: string;
  /** The registry's name for it, when the annotation is the name of a type and nothing more. */
  name: string | undefined;
  /** The constant that the type is inferred from: `X` in `v.InferOutput<typeof X>`, `z.infer<typeof X>`, `typeof X.infer`. */
  inferredFrom: string | undefined;
  /** `echo.ts:12:30`, for errors. */
  place: string;
};

export type Handler = {
  export: string;
  description: string;
  /** Absolute path of the file that declares it. */
  file: string;
  /** `none`: it takes no input, so any will do. */
  input: Annotation | "none" | undefined;
  output: Annotation | undefined;
  /** Why the annotations cannot say what the types are, whatever they say. */
  unreadable: string | undefined;
  place: string;
};

export type FileExports = {
  handlers: Handler[];
  /** Values that are not functions. They may be Standard Schemas. */
  values: string[];
  /** Values of which TypeScript knows nothing: they come from a package without types, and may be anything. */
  opaque: string[];
};

export function readHandlers(program: TypeScript.Program, file: string): FileExports {
  const ts = typescript();
  const checker = program.getTypeChecker();
  const source = program.getSourceFile(file);
  const moduleSymbol = source && checker.getSymbolAtLocation(source);
  const found: FileExports = { handlers: [], values: [], opaque: [] };
  if (moduleSymbol === undefined) return found;

  for (const exported of checker.getExportsOfModule(moduleSymbol)) {
    const symbol = exported.flags & ts.SymbolFlags.Alias ? checker.getAliasedSymbol(exported) : exported;
    const declaration = symbol.valueDeclaration ?? symbol.declarations?.find((node) => ts.isExportAssignment(node));
    if (declaration === undefined) {
      if (checker.isUnknownSymbol(symbol)) found.opaque.push(exported.name);
      continue;
    }
    const signature = functionOf(declaration);
    if (signature !== undefined) {
      found.handlers.push(describe(exported.name, symbol, declaration, signature));
    } else if (checker.getTypeOfSymbol(symbol).getCallSignatures().length > 0 && !isSchemaType(symbol)) {
      const handler = describe(exported.name, symbol, declaration, undefined);
      found.handlers.push(handler);
    } else if (symbol.flags & ts.SymbolFlags.Value && !ts.isClassDeclaration(declaration)) {
      const { flags } = checker.getTypeOfSymbol(symbol);
      (flags & ts.TypeFlags.Any ? found.opaque : found.values).push(exported.name);
    }
  }
  return found;

  function describe(
    name: string,
    symbol: TypeScript.Symbol,
    declaration: TypeScript.Node,
    signature: TypeScript.SignatureDeclaration | undefined,
  ): Handler {
    const parameter = signature?.parameters.find((node) => node.name.getText() !== "this");
    return {
      export: name,
      description: ts.displayPartsToString(symbol.getDocumentationComment(checker)).slice(0, 4000),
      file: declaration.getSourceFile().fileName,
      input:
        signature !== undefined && parameter === undefined ? "none" : parameter?.type && annotation(parameter.type),
      output: signature?.type && annotation(unwrapPromise(signature.type)),
      unreadable: unreadable(symbol, signature, parameter),
      place: place(declaration),
    };
  }

  /** Zod's and arktype's schemas can be called or carry call signatures; what has `~standard` is no handler. */
  function isSchemaType(symbol: TypeScript.Symbol): boolean {
    return checker.getTypeOfSymbol(symbol).getProperty("~standard") !== undefined;
  }

  function annotation(node: TypeScript.TypeNode): Annotation {
    return { text: node.getText(), name: nameOf(node), inferredFrom: inferredFrom(node), place: place(node) };
  }

  function inferredFrom(node: TypeScript.TypeNode): string | undefined {
    if (ts.isParenthesizedTypeNode(node)) return inferredFrom(node.type);
    if (ts.isIndexedAccessTypeNode(node)) return inferredFrom(node.objectType);
    if (ts.isTypeQueryNode(node)) return node.exprName.getText().split(".")[0];
    if (!ts.isTypeReferenceNode(node)) return undefined;
    const [argument, ...others] = node.typeArguments ?? [];
    if (argument !== undefined) {
      return others.length === 0 && ts.isTypeQueryNode(argument) ? inferredFrom(argument) : undefined;
    }
    const declared = checker.getSymbolAtLocation(node.typeName)?.declarations?.[0];
    return declared && ts.isTypeAliasDeclaration(declared) ? inferredFrom(declared.type) : undefined;
  }

  function nameOf(node: TypeScript.TypeNode): string | undefined {
    if (!ts.isTypeReferenceNode(node) || node.typeArguments !== undefined) return undefined;
    let symbol = checker.getSymbolAtLocation(node.typeName);
    if (symbol && symbol.flags & ts.SymbolFlags.Alias) symbol = checker.getAliasedSymbol(symbol);
    const declared = symbol?.declarations?.[0]?.getSourceFile();
    if (symbol === undefined || declared === undefined || program.isSourceFileDefaultLibrary(declared))
      return undefined;
    const name = symbol.name === "default" ? node.typeName.getText() : symbol.name;
    return symbol.flags & ts.SymbolFlags.Type ? snakeCase(name) : undefined;
  }
}

function place(node: TypeScript.Node): string {
  const file = node.getSourceFile();
  const { line, character } = file.getLineAndCharacterOfPosition(node.getStart());
  return `${path.relative(process.cwd(), file.fileName)}:${line + 1}:${character + 1}`;
}

/** The function behind a declaration: a function, or a constant that holds one. */
function functionOf(declaration: TypeScript.Node): TypeScript.SignatureDeclaration | undefined {
  const ts = typescript();
  if (ts.isFunctionDeclaration(declaration)) return declaration;
  let value: TypeScript.Node | undefined;
  if (ts.isExportAssignment(declaration)) value = declaration.expression;
  else if (ts.isVariableDeclaration(declaration)) {
    if (declaration.type && ts.isFunctionTypeNode(declaration.type)) return declaration.type;
    if (declaration.type) return undefined;
    value = declaration.initializer;
  }
  while (
    value &&
    (ts.isParenthesizedExpression(value) || ts.isSatisfiesExpression(value) || ts.isAsExpression(value))
  ) {
    if (ts.isAsExpression(value) && ts.isFunctionTypeNode(value.type)) return value.type;
    value = value.expression;
  }
  return value && (ts.isArrowFunction(value) || ts.isFunctionExpression(value)) ? value : undefined;
}

function unwrapPromise(node: TypeScript.TypeNode): TypeScript.TypeNode {
  const ts = typescript();
  if (ts.isParenthesizedTypeNode(node)) return unwrapPromise(node.type);
  const argument = ts.isTypeReferenceNode(node) ? node.typeArguments?.[0] : undefined;
  if (argument === undefined || !ts.isTypeReferenceNode(node)) return node;
  return /^(?:Promise|PromiseLike|Awaited)$/.test(node.typeName.getText()) ? unwrapPromise(argument) : node;
}

function unreadable(
  symbol: TypeScript.Symbol,
  signature: TypeScript.SignatureDeclaration | undefined,
  parameter: TypeScript.ParameterDeclaration | undefined,
): string | undefined {
  const ts = typescript();
  if (signature?.typeParameters?.length) return "it has type parameters of its own, which no caller can fill in";
  if ((symbol.declarations?.filter((node) => ts.isFunctionDeclaration(node)).length ?? 0) > 1) {
    return "it has overloads, and an operation has one input type";
  }
  if (parameter?.dotDotDotToken) return "its first parameter is a rest parameter, and a handler takes one input";
  return undefined;
}
