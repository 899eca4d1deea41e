// inject runs a MutatingAdmissionPolicy over Pods, with the API server's own compiler and patcher.
//
//	inject POLICY.yaml POD.yaml ...   one line of JSON a Pod: what it has become, or null when the
//	                                  policy leaves it alone; exit 1 with the error of an expression
//	inject -levels POD.yaml ...       the Pod Security level of each (level.go)
//
// The order is that of k8s.io/apiserver pkg/admission/plugin/policy/mutating (compilation.go,
// dispatcher.go), whose functions are not exported: variables, match conditions, then each mutation.
package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"strings"

	admissionv1 "k8s.io/api/admissionregistration/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apiserver/pkg/admission"
	"k8s.io/apiserver/pkg/admission/plugin/cel"
	"k8s.io/apiserver/pkg/admission/plugin/policy/mutating/patch"
	"k8s.io/apiserver/pkg/admission/plugin/policy/validating"
	"k8s.io/apiserver/pkg/admission/plugin/webhook/matchconditions"
	celconfig "k8s.io/apiserver/pkg/apis/cel"
	"k8s.io/apiserver/pkg/cel/environment"
	"sigs.k8s.io/yaml"
)

var pods = schema.GroupVersionResource{Version: "v1", Resource: "pods"}
var pod = schema.GroupVersionKind{Version: "v1", Kind: "Pod"}

type compiled struct {
	compiler *cel.CompositedCompiler
	matcher  matchconditions.Matcher
	patchers []patch.Patcher
}

func compile(p *admissionv1.MutatingAdmissionPolicy) (*compiled, error) {
	opts := cel.OptionalVariableDeclarations{HasAuthorizer: true}
	compiler, err := cel.NewCompositedCompiler(environment.MustBaseEnvSet(environment.DefaultCompatibilityVersion()))
	if err != nil {
		return nil, err
	}
	for _, v := range p.Spec.Variables {
		r := compiler.CompileAndStoreVariable(&validating.Variable{Name: v.Name, Expression: v.Expression}, opts, environment.NewExpressions)
		if r.Error != nil {
			return nil, fmt.Errorf("variable %s: %w", v.Name, r.Error)
		}
	}
	conditions := make([]cel.ExpressionAccessor, len(p.Spec.MatchConditions))
	for i := range p.Spec.MatchConditions {
		conditions[i] = (*matchconditions.MatchCondition)(&p.Spec.MatchConditions[i])
	}
	evaluator := compiler.CompileCondition(conditions, opts, environment.NewExpressions)
	if bad := evaluator.CompilationErrors(); len(bad) > 0 {
		return nil, fmt.Errorf("match conditions: %w", errors.Join(bad...))
	}
	fail := admissionv1.Fail
	c := &compiled{compiler: compiler, matcher: matchconditions.NewMatcher(evaluator, &fail, "policy", "validate", p.Name)}
	opts.HasPatchTypes = true
	for i, m := range p.Spec.Mutations {
		if m.PatchType != admissionv1.PatchTypeJSONPatch {
			return nil, fmt.Errorf("mutation %d is no JSONPatch", i)
		}
		evaluator := compiler.CompileMutatingEvaluator(&patch.JSONPatchCondition{Expression: m.JSONPatch.Expression}, opts, environment.NewExpressions)
		if bad := evaluator.CompilationErrors(); len(bad) > 0 {
			return nil, fmt.Errorf("mutation %d: %w", i, errors.Join(bad...))
		}
		c.patchers = append(c.patchers, patch.NewJSONPatcher(evaluator))
	}
	return c, nil
}

// apply returns nil when the policy does not match.
func (c *compiled) apply(object *corev1.Pod) (runtime.Object, error) {
	scheme := runtime.NewScheme()
	if err := corev1.AddToScheme(scheme); err != nil {
		return nil, err
	}
	attributes := admission.NewAttributesRecord(object, nil, pod, "default", object.Name, pods, "", admission.Create, nil, false, nil)
	versioned, err := admission.NewVersionedAttributes(attributes, pod, admission.NewObjectInterfacesFromScheme(scheme))
	if err != nil {
		return nil, err
	}
	ctx := c.compiler.CreateContext(context.Background())
	if r := c.matcher.Match(ctx, versioned, nil, nil); r.Error != nil || !r.Matches {
		return nil, r.Error
	}
	for _, p := range c.patchers {
		changed, err := p.Patch(ctx, patch.Request{
			MatchedResource:     pods,
			VersionedAttributes: versioned,
			ObjectInterfaces:    admission.NewObjectInterfacesFromScheme(scheme),
			Namespace:           &corev1.Namespace{},
		}, celconfig.RuntimeCELCostBudget)
		if err != nil {
			return nil, err
		}
		versioned.UpdateObject(changed)
	}
	return versioned.VersionedObject.Object(), nil
}

func load(path string, into any) error {
	text, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	first, _, _ := strings.Cut(string(text), "\n---\n")
	return yaml.UnmarshalStrict([]byte(first), into)
}

func run(args []string) error {
	if args[0] == "-levels" {
		return levels(args[1:])
	}
	policy := &admissionv1.MutatingAdmissionPolicy{}
	if err := load(args[0], policy); err != nil {
		return err
	}
	c, err := compile(policy)
	if err != nil {
		return err
	}
	for _, path := range args[1:] {
		object := &corev1.Pod{}
		if err := load(path, object); err != nil {
			return fmt.Errorf("%s: %w", path, err)
		}
		became, err := c.apply(object)
		if err != nil {
			return fmt.Errorf("%s: %w", path, err)
		}
		line, err := json.Marshal(became)
		if err != nil {
			return err
		}
		fmt.Println(string(line))
	}
	return nil
}

func main() {
	if len(os.Args) < 2 {
		fmt.Fprintln(os.Stderr, "usage: inject POLICY.yaml POD.yaml ...")
		os.Exit(2)
	}
	if err := run(os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}
