package config

import (
	"strings"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"
	"github.com/zclconf/go-cty/cty"
)

// literal evaluates an expression that is written out: a string, a number, true, false, or a list of those. HCL has
// variables, functions and operators; a configuration has not, so that what is in the file is what is applied.
func literal(expr hcl.Expression) (cty.Value, error) {
	if native, ok := expr.(hclsyntax.Expression); ok {
		if err := writtenOut(native); err != nil {
			return cty.NilVal, err
		}
	}
	// Without a context the JSON form takes strings as they are.
	v, found := expr.Value(nil)
	if found.HasErrors() {
		return cty.NilVal, faultf("write the value itself", "this is no plain value: %s", found[0].Summary)
	}
	if _, native := expr.(hclsyntax.Expression); !native && hasTemplate(v) {
		return cty.NilVal, errTemplate
	}
	if v.IsNull() {
		return cty.NilVal, faultf("write a value, or leave the key out", "it is null")
	}
	return v, nil
}

// bareWord is wrong with a word without quotes. The cure names it.
const bareWord = "a word without quotes is a variable, and variables are not supported"

var (
	errTemplate   = faultf("write the value itself", "${…} and %%{…} stand for variables and functions, and those are not supported")
	errFunction   = faultf("write the value itself", "functions are not supported")
	errExpression = faultf("write the value itself", "expressions are not supported")
)

// writtenOut refuses what is not a plain value.
func writtenOut(expr hclsyntax.Expression) error {
	switch x := expr.(type) {
	case *hclsyntax.LiteralValueExpr:
		return nil
	case *hclsyntax.TemplateExpr:
		for _, part := range x.Parts {
			if _, ok := part.(*hclsyntax.LiteralValueExpr); !ok {
				return errTemplate
			}
		}
		return nil
	case *hclsyntax.TemplateWrapExpr:
		return errTemplate
	case *hclsyntax.TupleConsExpr:
		for _, item := range x.Exprs {
			if err := writtenOut(item); err != nil {
				return err
			}
		}
		return nil
	case *hclsyntax.UnaryOpExpr:
		if _, number := x.Val.(*hclsyntax.LiteralValueExpr); number && x.Op == hclsyntax.OpNegate {
			return nil
		}
		return errExpression
	case *hclsyntax.ScopeTraversalExpr:
		if len(x.Traversal) == 1 {
			return faultf(`write it in quotes: "`+x.Traversal.RootName()+`"`, bareWord)
		}
		return faultf("write the value itself, in quotes", "variables are not supported")
	case *hclsyntax.FunctionCallExpr:
		return errFunction
	case *hclsyntax.ObjectConsExpr:
		return faultf("write a plain value", "this is an object")
	default:
		return errExpression
	}
}

// hasTemplate looks for template sequences in the strings of a JSON value.
func hasTemplate(v cty.Value) bool {
	found := false
	_ = cty.Walk(v, func(_ cty.Path, v cty.Value) (bool, error) {
		if v.Type() == cty.String && v.IsKnown() && !v.IsNull() {
			s := v.AsString()
			found = found || strings.Contains(s, "${") || strings.Contains(s, "%{")
		}
		return true, nil
	})
	return found
}
