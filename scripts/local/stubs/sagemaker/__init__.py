"""A stand-in for the runtime of SageMaker: endpoints and the containers behind them."""
