package main

import (
	"fmt"
	"os"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/pod-security-admission/api"
	"k8s.io/pod-security-admission/policy"
	"sigs.k8s.io/yaml"
)

// levels prints for each file with one Pod the strictest Pod Security level that permits it, and why
// the next one does not.
func levels(files []string) error {
	evaluator, err := policy.NewEvaluator(policy.DefaultChecks(), nil)
	if err != nil {
		return err
	}
	for _, path := range files {
		text, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		object := &corev1.Pod{}
		if err := yaml.UnmarshalStrict(text, object); err != nil {
			return fmt.Errorf("%s: %w", path, err)
		}
		level, why := api.LevelPrivileged, ""
		for _, l := range []api.Level{api.LevelBaseline, api.LevelRestricted} {
			lv := api.LevelVersion{Level: l, Version: api.LatestVersion()}
			result := policy.AggregateCheckResults(evaluator.EvaluatePod(lv, &object.ObjectMeta, &object.Spec))
			if !result.Allowed {
				why = " (" + string(l) + ": " + result.ForbiddenDetail() + ")"
				break
			}
			level = l
		}
		fmt.Printf("%s %s%s\n", object.Name, level, why)
	}
	return nil
}
