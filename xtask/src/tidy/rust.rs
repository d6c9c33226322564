//! What the rules ask of parsed Rust: the functions of a file, and the lines that are test code.

use std::ops::RangeInclusive;

use syn::visit::{self, Visit};

use crate::tree::SourceFile;

/// A function with a body, free or associated.
#[derive(Debug)]
pub(super) struct Function {
    pub(super) name: String,
    /// First and last line, attributes and docs left out.
    pub(super) lines: RangeInclusive<usize>,
    /// Names of parameters that are a plain `bool`. Empty for methods of a trait's implementation, which have
    /// no choice.
    pub(super) bools: Vec<String>,
}

#[derive(Debug, Default)]
pub(super) struct Parsed {
    pub(super) functions: Vec<Function>,
    /// Lines of inline modules under `#[cfg(test)]`.
    pub(super) test_lines: Vec<RangeInclusive<usize>>,
    in_trait_impl: bool,
}

/// `None` for text that is no Rust; the compiler says so better.
pub(super) fn parse(file: &SourceFile) -> Option<Parsed> {
    let syntax = syn::parse_file(&file.text).ok()?;
    let mut parsed = Parsed::default();
    parsed.visit_file(&syntax);
    Some(parsed)
}

impl Parsed {
    fn add(&mut self, signature: &syn::Signature, body: &syn::Block) {
        let bools = match self.in_trait_impl {
            true => Vec::new(),
            false => signature.inputs.iter().filter_map(bool_parameter).collect(),
        };
        let lines = signature.fn_token.span.start().line..=body.brace_token.span.close().end().line;
        self.functions.push(Function { name: signature.ident.to_string(), lines, bools });
    }
}

impl<'ast> Visit<'ast> for Parsed {
    fn visit_item_fn(&mut self, function: &'ast syn::ItemFn) {
        self.add(&function.sig, &function.block);
        visit::visit_item_fn(self, function);
    }

    fn visit_impl_item_fn(&mut self, function: &'ast syn::ImplItemFn) {
        self.add(&function.sig, &function.block);
        visit::visit_impl_item_fn(self, function);
    }

    fn visit_trait_item_fn(&mut self, function: &'ast syn::TraitItemFn) {
        if let Some(body) = &function.default {
            self.add(&function.sig, body);
        }
        visit::visit_trait_item_fn(self, function);
    }

    fn visit_item_impl(&mut self, item: &'ast syn::ItemImpl) {
        let outer = std::mem::replace(&mut self.in_trait_impl, item.trait_.is_some());
        visit::visit_item_impl(self, item);
        self.in_trait_impl = outer;
    }

    fn visit_item_mod(&mut self, module: &'ast syn::ItemMod) {
        if let Some((brace, _)) = &module.content
            && module.attrs.iter().any(is_cfg_test)
        {
            self.test_lines.push(module.mod_token.span.start().line..=brace.span.close().end().line);
        }
        visit::visit_item_mod(self, module);
    }
}

fn bool_parameter(input: &syn::FnArg) -> Option<String> {
    let syn::FnArg::Typed(typed) = input else { return None };
    let syn::Type::Path(path) = &*typed.ty else { return None };
    let syn::Pat::Ident(name) = &*typed.pat else { return None };
    path.path.is_ident("bool").then(|| name.ident.to_string())
}

fn is_cfg_test(attribute: &syn::Attribute) -> bool {
    attribute.path().is_ident("cfg")
        && attribute.parse_args::<syn::Path>().is_ok_and(|argument| argument.is_ident("test"))
}
