package main

import (
	"context"
	"log"

	v1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/informers"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/tools/cache"
	"k8s.io/client-go/util/retry"
)

// provisionedBy is the annotation by which a volume tells who made it.
const provisionedBy = "pv.kubernetes.io/provisioned-by"

// growClaims grants every claim of a volume of this provisioner the size that
// it asks for. A folder has no size: only the numbers of both objects follow.
func growClaims(ctx context.Context, client kubernetes.Interface, name string) error {
	factory := informers.NewSharedInformerFactory(client, 0)
	claims := factory.Core().V1().PersistentVolumeClaims().Informer()
	grow := func(object any) {
		claim, ok := object.(*v1.PersistentVolumeClaim)
		if !ok || !wantsMore(claim) {
			return
		}
		err := retry.RetryOnConflict(retry.DefaultBackoff, func() error {
			return growClaim(ctx, client, name, claim.Namespace, claim.Name)
		})
		if err != nil {
			log.Printf("the claim %s/%s does not grow: %v", claim.Namespace, claim.Name, err)
		}
	}
	if _, err := claims.AddEventHandler(cache.ResourceEventHandlerFuncs{
		AddFunc:    grow,
		UpdateFunc: func(_, now any) { grow(now) },
	}); err != nil {
		return err
	}
	factory.Start(ctx.Done())
	return nil
}

// growClaim reads the claim as it is now, and sets the volume's size before the claim's: what a claim has is never more
// than its volume.
func growClaim(ctx context.Context, client kubernetes.Interface, name, namespace, claimName string) error {
	claims, volumes := client.CoreV1().PersistentVolumeClaims(namespace), client.CoreV1().PersistentVolumes()
	claim, err := claims.Get(ctx, claimName, metav1.GetOptions{})
	if err != nil || !wantsMore(claim) {
		return err
	}
	volume, err := volumes.Get(ctx, claim.Spec.VolumeName, metav1.GetOptions{})
	if err != nil || volume.Annotations[provisionedBy] != name {
		return err
	}
	size := claim.Spec.Resources.Requests[v1.ResourceStorage]
	if volume.Spec.Capacity.Storage().Cmp(size) < 0 {
		volume.Spec.Capacity[v1.ResourceStorage] = size
		if _, err := volumes.Update(ctx, volume, metav1.UpdateOptions{}); err != nil {
			return err
		}
	}
	claim.Status.Capacity[v1.ResourceStorage] = size
	claim.Status.Conditions = nil // such as "Resizing"
	_, err = claims.UpdateStatus(ctx, claim, metav1.UpdateOptions{})
	return err
}

// wantsMore tells whether a bound claim asks for more than it has.
func wantsMore(claim *v1.PersistentVolumeClaim) bool {
	return claim.Status.Phase == v1.ClaimBound && claim.Status.Capacity != nil &&
		claim.Spec.Resources.Requests.Storage().Cmp(*claim.Status.Capacity.Storage()) > 0
}
