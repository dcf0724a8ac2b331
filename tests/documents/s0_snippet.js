// Subscribe to payment updates
ws.subscribe(WebSocketMessageType.PAYMENT_UPDATE, (data) => {
    console.log('Payment status:', data.status);
});
