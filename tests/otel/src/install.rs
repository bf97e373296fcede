use metrics_opentelemetry::{OpenTelemetryMetrics, OpenTelemetryRecorder};
use opentelemetry::metrics::MeterProvider;
use opentelemetry::trace::TracerProvider;
use opentelemetry_sdk::metrics::SdkMeterProvider;
use opentelemetry_sdk::trace::SdkTracerProvider;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;

/// Sends spans and metrics to OpenTelemetry. Call it before you build the client.
pub fn install(tracers: &SdkTracerProvider, meters: &SdkMeterProvider) {
    let spans = tracing_opentelemetry::layer().with_tracer(tracers.tracer("shop"));
    tracing_subscriber::registry().with(spans).init();
    let mut recorder = OpenTelemetryRecorder::new(OpenTelemetryMetrics::new(meters.meter("shop")));
    let seconds = [0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75, 1.0, 2.5, 5.0, 7.5, 10.0];
    recorder.set_histogram_bounds_mut(["http.client.request.duration"].into_iter(), &seconds);
    if metrics::set_global_recorder(recorder).is_err() {
        eprintln!("another recorder is installed");
    }
}
